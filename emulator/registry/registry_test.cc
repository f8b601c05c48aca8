#include "emulator/registry/registry.h"

#include <gtest/gtest.h>

#include "emulator/blobs/blob_store.h"
#include "platform/async/blocking.h"
#include "platform/async/loop.h"
#include "platform/base/json.h"
#include "platform/base/random_id.h"
#include "platform/http/client.h"
#include "platform/http/server.h"
#include "platform/oci/manifest.h"

namespace hearth::registry {
namespace {

namespace fs = std::filesystem;

TEST(Route, ReadsPathsFromTheirEnd) {
  using Kind = Route::Kind;
  EXPECT_EQ(parse_route("/v2/")->kind, Kind::kPing);
  EXPECT_EQ(parse_route("/v2/_catalog")->kind, Kind::kCatalog);
  EXPECT_EQ(parse_route("/v2/a/b/blobs/sha256:1"), (Route{Kind::kBlob, "a/b", "sha256:1"}));
  EXPECT_EQ(parse_route("/v2/a/blobs/uploads/"), (Route{Kind::kUploads, "a", ""}));
  EXPECT_EQ(parse_route("/v2/a/blobs/uploads"), (Route{Kind::kUploads, "a", ""}));
  EXPECT_EQ(parse_route("/v2/a/blobs/uploads/u1"), (Route{Kind::kUpload, "a", "u1"}));
  EXPECT_EQ(parse_route("/v2/blobs/manifests/manifests/v1"),
            (Route{Kind::kManifest, "blobs/manifests", "v1"}));
  EXPECT_EQ(parse_route("/v2/a/tags/list"), (Route{Kind::kTags, "a", ""}));
  EXPECT_EQ(parse_route("/v2/a/referrers/sha256%3A1"), (Route{Kind::kReferrers, "a", "sha256:1"}));
  EXPECT_FALSE(parse_route("/v1/"));
  EXPECT_FALSE(parse_route("/v2/a"));
}

class RegistryTest : public testing::Test {
 public:
  RegistryTest() : root_(fs::path(testing::TempDir()) / ("registry-" + base::random_hex(6))) {
    fs::create_directories(root_);
    blobs_ = blobs::BlobStore::open(root_ / "blobs", pool_).value();
    auto database = sqlite::Database::open(root_ / "db", sqlite::OpenMode::kReadWrite).value();
    EXPECT_TRUE(sqlite::migrate(database, kRoom, kMigrations));
    writer_ = std::make_unique<sqlite::Writer>(std::move(database));
    registry_ = Registry::open(loop_, *writer_, root_ / "db", *blobs_, clock_).value();
    server_ = std::make_unique<http::Server>(loop_, "registry", [this](http::Exchange& exchange) {
      return registry_->handle(exchange);
    });
    client_ = std::make_unique<http::Client>(loop_);
    loop_.start();
    loop_.run_blocking(listen());
  }
  ~RegistryTest() override {
    loop_.run_blocking(close());
    loop_.stop();
    fs::remove_all(root_);
  }

 protected:
  Task<void> listen() {
    port_ = server_->listen({}).value();
    co_return;
  }
  Task<void> close() {
    co_await server_->shutdown(std::chrono::milliseconds(0));
    client_.reset();
  }

  struct Call {
    std::string method;
    std::string target;
    std::string body = {};
    std::vector<std::pair<std::string, std::string>> headers = {};
  };
  http::Response send(Call call) {
    Result<http::Response> out = fail(Code::kInternal, "not run");
    loop_.run_blocking(send_into(std::move(call), out));
    return out.value();
  }
  Task<void> send_into(Call call, Result<http::Response>& out) {
    http::Headers headers;
    for (const auto& [name, value] : call.headers) headers.add(name, value);
    out = co_await client_->request(
        call.method, {.scheme = "http", .host = "127.0.0.1", .port = port_, .target = call.target},
        std::move(headers), std::move(call.body), {});
  }

  std::int64_t drop_unreferenced() {
    Result<std::int64_t> out = fail(Code::kInternal, "not run");
    loop_.run_blocking(drop_into(out));
    return out.value();
  }
  Task<void> drop_into(Result<std::int64_t>& out) {
    out = co_await registry_->drop_unreferenced(std::chrono::hours(1));
  }

  static std::string code_of_error(const http::Response& response) {
    return base::parse_json(response.body).value()["errors"][0]["code"];
  }
  static std::string header(const http::Response& response, std::string_view name) {
    return std::string(response.head.headers.get_or(name, ""));
  }

  oci::Digest push_blob(const std::string& repository, const std::string& bytes) {
    const oci::Digest digest = oci::Digest::of(bytes);
    EXPECT_EQ(send({"POST", "/v2/" + repository + "/blobs/uploads/?digest=" + digest.text(), bytes})
                  .head.status,
              201);
    return digest;
  }
  std::string image(const std::string& layer, std::string_view subject = {}) {
    oci::Manifest out;
    out.artifact_type = subject.empty() ? "" : "application/x.sbom";
    out.config = oci::Descriptor{
        .media_type = std::string(oci::kOciConfig), .digest = oci::Digest::of("{}"), .size = 2};
    out.layers.push_back({.media_type = std::string(oci::kOciLayerTar),
                          .digest = oci::Digest::of(layer),
                          .size = layer.size()});
    if (!subject.empty()) {
      out.subject = oci::Descriptor{.media_type = std::string(oci::kOciManifest),
                                    .digest = oci::Digest::parse(subject).value(),
                                    .size = 1};
    }
    return oci::dump(out);
  }
  http::Response push_manifest(const std::string& target, const std::string& bytes) {
    return send({"PUT", target, bytes, {{"Content-Type", std::string(oci::kOciManifest)}}});
  }
  std::size_t blob_files() const {
    std::size_t count = 0;
    for (const auto& item : fs::recursive_directory_iterator(root_ / "blobs")) {
      count += item.is_regular_file() ? 1 : 0;
    }
    return count;
  }

  fs::path root_;
  base::VirtualClock clock_;
  async::Loop loop_{"test"};
  async::BlockingPool pool_{1};
  std::unique_ptr<blobs::BlobStore> blobs_;
  std::unique_ptr<sqlite::Writer> writer_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::Client> client_;
  std::uint16_t port_ = 0;
};

TEST_F(RegistryTest, PushesAndPullsABlobInEveryWay) {
  const oci::Digest digest = push_blob("a/b", "0123456789");
  const std::string target = "/v2/a/b/blobs/" + digest.text();
  EXPECT_EQ(send({"GET", target}).body, "0123456789");
  const auto head = send({"HEAD", target});
  EXPECT_EQ(header(head, "content-length"), "10");
  EXPECT_EQ(header(head, "docker-content-digest"), digest.text());
  const auto part = send({"GET", target, {}, {{"Range", "bytes=2-4"}}});
  EXPECT_EQ(part.head.status, 206);
  EXPECT_EQ(part.body, "234");
  EXPECT_EQ(header(part, "content-range"), "bytes 2-4/10");
  EXPECT_EQ(send({"GET", target, {}, {{"Range", "bytes=-3"}}}).body, "789");
  EXPECT_EQ(send({"GET", target, {}, {{"Range", "bytes=10-"}}}).head.status, 416);
  // Another repository does not have it until it is mounted.
  EXPECT_EQ(code_of_error(send({"GET", "/v2/other/blobs/" + digest.text()})), "BLOB_UNKNOWN");
  EXPECT_EQ(
      send({"POST", "/v2/other/blobs/uploads/?mount=" + digest.text() + "&from=a/b"}).head.status,
      201);
  EXPECT_EQ(send({"HEAD", "/v2/other/blobs/" + digest.text()}).head.status, 200);
  EXPECT_EQ(send({"DELETE", target}).head.status, 202);
  EXPECT_EQ(send({"HEAD", target}).head.status, 404);
}

TEST_F(RegistryTest, TakesChunksInOrderOnly) {
  const auto started = send({"POST", "/v2/r/blobs/uploads/"});
  EXPECT_EQ(started.head.status, 202);
  const std::string location = header(started, "location");
  EXPECT_EQ(send({"PATCH", location, "abc", {{"Content-Range", "0-2"}}}).head.status, 202);
  EXPECT_EQ(send({"PATCH", location, "abc", {{"Content-Range", "0-2"}}}).head.status, 416);
  EXPECT_EQ(send({"PATCH", location, "xyz", {{"Content-Range", "9-11"}}}).head.status, 416);
  const auto status = send({"GET", location});
  EXPECT_EQ(status.head.status, 204);
  EXPECT_EQ(header(status, "range"), "0-2");
  const oci::Digest digest = oci::Digest::of("abcdef");
  const auto done =
      send({"PUT", location + "?digest=" + digest.text(), "def", {{"Content-Range", "3-5"}}});
  EXPECT_EQ(done.head.status, 201);
  EXPECT_EQ(header(done, "location"), "/v2/r/blobs/" + digest.text());
  EXPECT_EQ(code_of_error(send({"PATCH", location, "x"})), "BLOB_UPLOAD_UNKNOWN");
}

TEST_F(RegistryTest, AWrongDigestLeavesNothing) {
  const auto wrong =
      send({"POST", "/v2/r/blobs/uploads/?digest=" + oci::Digest::of("a").text(), "b"});
  EXPECT_EQ(wrong.head.status, 400);
  EXPECT_EQ(code_of_error(wrong), "DIGEST_INVALID");
  EXPECT_EQ(blob_files(), 0U);
}

TEST_F(RegistryTest, ForgetsIdleAndCancelledUploads) {
  const std::string idle = header(send({"POST", "/v2/r/blobs/uploads/"}), "location");
  clock_.advance(std::chrono::hours(1));
  EXPECT_EQ(send({"GET", idle}).head.status, 404);
  const std::string cancelled = header(send({"POST", "/v2/r/blobs/uploads/"}), "location");
  EXPECT_EQ(send({"DELETE", cancelled}).head.status, 204);
  EXPECT_EQ(send({"GET", cancelled}).head.status, 404);
}

TEST_F(RegistryTest, ChecksManifestsAndKeepsTheirBytes) {
  const std::string bytes = image("layer") + "\n";
  const auto missing = push_manifest("/v2/r/manifests/v1", bytes);
  EXPECT_EQ(missing.head.status, 404);
  EXPECT_EQ(code_of_error(missing), "MANIFEST_BLOB_UNKNOWN");
  push_blob("r", "{}");
  push_blob("r", "layer");
  const auto stored = push_manifest("/v2/r/manifests/v1", bytes);
  EXPECT_EQ(stored.head.status, 201);
  const std::string digest = oci::Digest::of(bytes).text();
  EXPECT_EQ(header(stored, "docker-content-digest"), digest);
  const auto pulled = send({"GET", "/v2/r/manifests/" + digest});
  EXPECT_EQ(pulled.body, bytes);
  EXPECT_EQ(header(pulled, "content-type"), oci::kOciManifest);
  EXPECT_EQ(code_of_error(push_manifest("/v2/r/manifests/v1", "{")), "MANIFEST_INVALID");
  EXPECT_EQ(code_of_error(push_manifest("/v2/r/manifests/" + oci::Digest::of("x").text(), bytes)),
            "DIGEST_INVALID");
  EXPECT_EQ(code_of_error(send({"GET", "/v2/r/manifests/v2"})), "MANIFEST_UNKNOWN");
  EXPECT_EQ(code_of_error(send({"GET", "/v2/Upper/manifests/v2"})), "NAME_INVALID");
  EXPECT_EQ(code_of_error(send({"PUT", "/v2//manifests/v2"})), "NAME_INVALID");
  EXPECT_EQ(code_of_error(send({"POST", "/v2//blobs/uploads/"})), "NAME_INVALID");
  EXPECT_EQ(send({"DELETE", "/v2/r/manifests/v1"}).head.status, 202);
  EXPECT_EQ(send({"GET", "/v2/r/manifests/" + digest}).head.status, 200);
  EXPECT_EQ(send({"DELETE", "/v2/r/manifests/" + digest}).head.status, 202);
  EXPECT_EQ(send({"GET", "/v2/r/manifests/" + digest}).head.status, 404);
}

TEST_F(RegistryTest, ListsInPages) {
  push_blob("r", "{}");
  push_blob("r", "layer");
  for (const char* tag : {"c", "a", "b"}) {
    push_manifest(std::string("/v2/r/manifests/") + tag, image("layer"));
  }
  const auto first = send({"GET", "/v2/r/tags/list?n=2"});
  EXPECT_EQ(first.body, R"({"name":"r","tags":["a","b"]})");
  EXPECT_EQ(header(first, "link"), R"(</v2/r/tags/list?n=2&last=b>; rel="next")");
  EXPECT_EQ(send({"GET", "/v2/r/tags/list?n=2&last=b"}).body, R"({"name":"r","tags":["c"]})");
  const auto none = send({"GET", "/v2/r/tags/list?n=0"});
  EXPECT_EQ(none.body, R"({"name":"r","tags":[]})");
  EXPECT_EQ(header(none, "link"), "");
  EXPECT_EQ(send({"GET", "/v2/_catalog"}).body, R"({"repositories":["r"]})");
  EXPECT_EQ(code_of_error(send({"GET", "/v2/none/tags/list"})), "NAME_UNKNOWN");
}

TEST_F(RegistryTest, AnswersReferrers) {
  push_blob("r", "{}");
  push_blob("r", "layer");
  const std::string subject = oci::Digest::of("not pushed yet").text();
  const auto stored = push_manifest("/v2/r/manifests/sbom", image("layer", subject));
  EXPECT_EQ(header(stored, "oci-subject"), subject);
  const std::string target = "/v2/r/referrers/" + subject;
  const auto all = base::parse_json(send({"GET", target}).body).value();
  ASSERT_EQ(all["manifests"].size(), 1U);
  EXPECT_EQ(all["manifests"][0]["artifactType"], "application/x.sbom");
  const auto filtered = send({"GET", target + "?artifactType=other"});
  EXPECT_EQ(base::parse_json(filtered.body).value()["manifests"].size(), 0U);
  EXPECT_EQ(header(filtered, "oci-filters-applied"), "artifactType");
  EXPECT_EQ(send({"GET", "/v2/none/referrers/" + subject}).head.status, 200);
  EXPECT_EQ(send({"GET", "/v2/r/referrers/x"}).head.status, 400);
}

TEST_F(RegistryTest, KnowsWhatIsLive) {
  push_blob("r", "{}");
  push_blob("r", "layer");
  push_blob("r", "stray");
  push_manifest("/v2/r/manifests/v1", image("layer"));
  EXPECT_EQ(drop_unreferenced(), 0);
  clock_.advance(std::chrono::hours(2));
  EXPECT_EQ(drop_unreferenced(), 1);
  const auto live = registry_->live_digests().value();
  EXPECT_TRUE(live.contains(oci::Digest::of("layer").hex()));
  EXPECT_FALSE(live.contains(oci::Digest::of("stray").hex()));
}

}  // namespace
}  // namespace hearth::registry
