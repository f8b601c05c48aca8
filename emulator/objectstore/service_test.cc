#include "emulator/objectstore/service.h"

#include <filesystem>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "platform/async/blocking.h"
#include "platform/async/loop.h"
#include "platform/base/bytes.h"
#include "platform/base/hash.h"
#include "platform/base/random_id.h"
#include "platform/base/text.h"
#include "platform/http/client.h"
#include "platform/http/server.h"
#include "platform/s3/client.h"
#include "platform/s3/error_code.h"
#include "platform/s3/xml.h"

namespace hearth::objectstore {
namespace {

constexpr std::size_t kPart = 5 * 1024 * 1024;

// A store in a temporary folder behind a server on a loop of its own, spoken to over HTTP.
class ObjectStoreTest : public testing::Test {
 public:
  ObjectStoreTest() : folder_(testing::TempDir() + "s3-" + base::random_hex(6)) {
    std::filesystem::create_directories(folder_);
    pool_ = std::make_unique<async::BlockingPool>(2);
    blobs_ = blobs::BlobStore::open(folder_ / "blobs", *pool_).value();
    loop_.start();
    start();
  }
  ~ObjectStoreTest() override {
    stop();
    loop_.stop();
    std::filesystem::remove_all(folder_);
  }

 protected:
  void start() {
    auto database =
        sqlite::Database::open(folder_ / "state.db", sqlite::OpenMode::kReadWrite).value();
    EXPECT_TRUE(sqlite::migrate(database, ObjectStore::kRoom, ObjectStore::kMigrations));
    writer_ = std::make_unique<sqlite::Writer>(std::move(database));
    store_ = ObjectStore::open(loop_, *writer_, folder_ / "state.db", *blobs_, *pool_, clock_,
                               {.credentials = {{"key", "secret"}}})
                 .value();
    store_->on_event([this](const ObjectEvent& event) { events_.push_back(event); });
    loop_.run_blocking(listen(*this));
  }
  void stop() {
    loop_.run_blocking(shut_down(*this));
    store_.reset();
    writer_.reset();
  }

  static Task<void> listen(ObjectStoreTest& test) {
    test.server_ = std::make_unique<http::Server>(
        test.loop_, "s3", [&test](http::Exchange& e) { return test.store_->handle(e); });
    test.port_ = test.server_->listen({}).value();
    test.http_ = std::make_unique<http::Client>(test.loop_);
    test.client_ = std::make_unique<s3::Client>(
        *test.http_, test.clock_,
        s3::ClientOptions{.endpoint = {.scheme = "http", .host = "127.0.0.1", .port = test.port_},
                          .credentials = {"key", "secret", ""}});
    co_return;
  }
  static Task<void> shut_down(ObjectStoreTest& test) {
    test.client_.reset();
    test.http_.reset();
    co_await test.server_->shutdown(std::chrono::seconds(1));
    test.server_.reset();
  }

  struct Answer {
    int status = 0;
    http::Headers headers;
    std::string body;

    std::string code() const {
      const auto error = s3::parse_error_document(body);
      return error ? std::string(s3::s3_code(*error)) : "";
    }
  };
  using Fields = std::vector<std::pair<std::string, std::string>>;

  Answer send(std::string method, std::string target, std::string body = {}, Fields fields = {}) {
    Answer out;
    loop_.run_blocking(exchange(*this, std::move(method), std::move(target), std::move(body),
                                std::move(fields), out));
    return out;
  }
  static Task<void> exchange(ObjectStoreTest& test, std::string method, std::string target,
                             std::string body, Fields fields, Answer& out) {
    http::Url url{.scheme = "http", .host = "127.0.0.1", .port = test.port_, .target = target};
    http::RequestHead head{.method = method, .target = target, .headers = {}};
    head.headers.add("Host", url.authority());
    for (const auto& [name, value] : fields) head.headers.add(name, value);
    s3::sign(head, {"key", "secret", ""}, "us-east-1", base::sha256_hex(body), test.clock_.wall());
    auto response =
        co_await test.http_->request(method, std::move(url), std::move(head.headers),
                                     std::move(body), {.response_bytes_max = 64UL * 1024 * 1024});
    if (!response) {
      ADD_FAILURE() << response.error().message;
      co_return;
    }
    out = {response->head.status, response->head.headers, std::move(response->body)};
  }

  // Uploads the parts and completes; returns the last answer.
  Answer upload(const std::string& target, const std::vector<std::string>& parts) {
    const std::string begun = send("POST", target + "?uploads").body;
    const std::size_t at = begun.find("<UploadId>") + 10;
    const std::string id = begun.substr(at, begun.find('<', at) - at);
    std::string document = "<CompleteMultipartUpload>";
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Answer part =
          send("PUT", fmt::format("{}?partNumber={}&uploadId={}", target, i + 1, id), parts[i]);
      EXPECT_EQ(part.status, 200) << part.body;
      document += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1,
                              part.headers.get_or("etag", ""));
    }
    last_complete_ = {target + "?uploadId=" + id, document + "</CompleteMultipartUpload>"};
    return send("POST", last_complete_.first, last_complete_.second);
  }

  std::filesystem::path folder_;
  base::SystemClock clock_;
  async::Loop loop_{"test"};
  std::unique_ptr<async::BlockingPool> pool_;
  std::unique_ptr<blobs::BlobStore> blobs_;
  std::unique_ptr<sqlite::Writer> writer_;
  std::unique_ptr<ObjectStore> store_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::Client> http_;
  std::unique_ptr<s3::Client> client_;
  std::uint16_t port_ = 0;
  std::vector<ObjectEvent> events_;
  std::pair<std::string, std::string> last_complete_;
};

TEST_F(ObjectStoreTest, ObjectsOfAllSizesSurviveARestart) {
  ASSERT_EQ(send("PUT", "/bucket").status, 200);
  const std::size_t sizes[] = {0, 1, 65536, 65537, 1'000'000};
  for (const std::size_t size : sizes) {
    const Answer put = send("PUT", "/bucket/" + std::to_string(size), std::string(size, 'x'));
    EXPECT_EQ(put.status, 200) << put.body;
    EXPECT_EQ(put.headers.get_or("etag", ""),
              "\"" + base::hex(base::md5(std::string(size, 'x'))) + "\"");
  }
  stop();
  start();
  for (const std::size_t size : sizes) {
    EXPECT_EQ(send("GET", "/bucket/" + std::to_string(size)).body, std::string(size, 'x'));
  }
  EXPECT_EQ(send("DELETE", "/bucket").code(), "BucketNotEmpty");
}

TEST_F(ObjectStoreTest, MultipartKeepsThePartsAndTheirEtag) {
  ASSERT_EQ(send("PUT", "/bucket").status, 200);
  const std::vector<std::string> parts = {std::string(kPart, 'a'), std::string(kPart, 'b'), "end"};
  const Answer done = upload("/bucket/big", parts);
  ASSERT_EQ(done.status, 200) << done.body;
  const std::string etag =
      base::hex(base::md5(base::md5(parts[0]) + base::md5(parts[1]) + base::md5("end"))) + "-3";
  const Answer whole = send("GET", "/bucket/big");
  EXPECT_EQ(whole.headers.get_or("etag", ""), "\"" + etag + "\"");
  EXPECT_EQ(whole.body, parts[0] + parts[1] + parts[2]);
  const std::string middle = "bytes=" + std::to_string(kPart - 2) + "-" + std::to_string(kPart + 1);
  EXPECT_EQ(send("GET", "/bucket/big", "", {{"Range", middle}}).body, "aabb");
  const Answer last = send("GET", "/bucket/big?partNumber=3");
  EXPECT_EQ(last.status, 206);
  EXPECT_EQ(last.body, "end");
  EXPECT_EQ(last.headers.get_or("x-amz-mp-parts-count", ""), "3");
  // The answer got lost: the client asks again.
  const Answer again = send("POST", last_complete_.first, last_complete_.second);
  EXPECT_EQ(again.status, 200);
  EXPECT_TRUE(again.body.contains(etag));
  EXPECT_EQ(send("PUT", "/bucket/copy", "", {{"x-amz-copy-source", "bucket/big"}}).status, 200);
  EXPECT_EQ(send("DELETE", "/bucket/big").status, 204);
  EXPECT_EQ(send("GET", "/bucket/copy").body.size(), whole.body.size());
}

TEST_F(ObjectStoreTest, CompleteRefusesSmallMissingAndUnorderedParts) {
  ASSERT_EQ(send("PUT", "/bucket").status, 200);
  EXPECT_EQ(upload("/bucket/k", {"small", "end"}).code(), "EntityTooSmall");
  const std::string target = last_complete_.first;
  const auto complete = [&](const char* parts) {
    return send("POST", target,
                "<CompleteMultipartUpload>" + std::string(parts) + "</CompleteMultipartUpload>")
        .code();
  };
  EXPECT_EQ(complete("<Part><PartNumber>9</PartNumber><ETag>x</ETag></Part>"), "InvalidPart");
  const std::string md5 = base::hex(base::md5("end"));
  const std::string part = "<Part><PartNumber>2</PartNumber><ETag>" + md5 + "</ETag></Part>";
  EXPECT_EQ(complete((part + part).c_str()), "InvalidPartOrder");
  EXPECT_EQ(complete(""), "MalformedXML");
  EXPECT_EQ(send("GET", "/bucket/k").code(), "NoSuchKey");
  EXPECT_EQ(send("DELETE", target).status, 204);
  EXPECT_EQ(send("DELETE", target).code(), "NoSuchUpload");
}

TEST_F(ObjectStoreTest, ReplacedAndDeletedBytesAreLeftToGarbageCollection) {
  ASSERT_EQ(send("PUT", "/bucket").status, 200);
  const std::string first(100'000, '1'), second(100'000, '2');
  send("PUT", "/bucket/k", first);
  send("PUT", "/bucket/k", second);
  const auto live = [this] {
    std::unordered_set<std::string> out;
    loop_.run_blocking([](ObjectStore& store, std::unordered_set<std::string>& to) -> Task<void> {
      to = store.live_digests().value();
      co_return;
    }(*store_, out));
    return out;
  };
  EXPECT_EQ(live(), std::unordered_set<std::string>{base::sha256_hex(second)});
  send("DELETE", "/bucket/k");
  EXPECT_TRUE(live().empty());
}

TEST_F(ObjectStoreTest, TellsWhatWasCreatedAndRemoved) {
  ASSERT_EQ(send("PUT", "/bucket").status, 200);
  send("PUT", "/bucket/k", "12345");
  send("DELETE", "/bucket/k");
  send("DELETE", "/bucket/k");
  ASSERT_EQ(events_.size(), 2U);
  EXPECT_EQ(events_[0].kind, ObjectEvent::Kind::kCreated);
  EXPECT_EQ(events_[0].size, 5U);
  EXPECT_EQ(events_[1].kind, ObjectEvent::Kind::kRemoved);
}

TEST_F(ObjectStoreTest, UnknownOperationsAreNamed) {
  ASSERT_EQ(send("PUT", "/bucket").status, 200);
  const Answer put = send("PUT", "/bucket?lifecycle", "<x/>");
  EXPECT_EQ(put.status, 501);
  EXPECT_TRUE(put.body.contains("PutBucketLifecycleConfiguration"));
  EXPECT_EQ(send("GET", "/bucket?policy").status, 404);
  EXPECT_EQ(send("GET", "/bucket/?versioning").status, 200);
  EXPECT_EQ(send("PATCH", "/bucket/k").code(), "MethodNotAllowed");
}

struct ClientResults {
  Status put;
  Result<std::string> got = "";
  Result<std::string> missing = "";
  Result<std::string> no_bucket = "";
  Result<std::string> too_large = "";
  Result<std::vector<s3::ObjectInfo>> listed;
};

Task<void> use_client(s3::Client& client, ClientResults& out) {
  out.put = co_await client.put_object("bucket", "dir/a b+c", "hello", "text/plain");
  out.got = co_await client.get_object("bucket", "dir/a b+c", 100);
  out.missing = co_await client.get_object("bucket", "nothing", 100);
  out.no_bucket = co_await client.get_object("nowhere", "k", 100);
  out.too_large = co_await client.get_object("bucket", "dir/a b+c", 2);
  out.listed = co_await client.list("bucket", "dir/");
}

TEST_F(ObjectStoreTest, ThePlatformsClientUnderstandsIt) {
  ASSERT_EQ(send("PUT", "/bucket").status, 200);
  ClientResults results;
  loop_.run_blocking(use_client(*client_, results));
  EXPECT_TRUE(results.put);
  EXPECT_EQ(results.got, "hello");
  ASSERT_FALSE(results.missing);
  EXPECT_EQ(results.missing.error().code, Code::kNotFound);
  EXPECT_EQ(results.missing.error().message,
            "object \"nothing\" does not exist in bucket \"bucket\"");
  ASSERT_FALSE(results.no_bucket);
  EXPECT_EQ(results.no_bucket.error().code, Code::kNotFound);
  EXPECT_EQ(results.no_bucket.error().message, "bucket \"nowhere\" does not exist");
  ASSERT_FALSE(results.too_large);
  EXPECT_EQ(results.too_large.error().code, Code::kTooLarge);
  ASSERT_TRUE(results.listed);
  ASSERT_EQ(results.listed->size(), 1U);
  EXPECT_EQ(results.listed->front().key, "dir/a b+c");
}

}  // namespace
}  // namespace hearth::objectstore
