#include "emulator/eventing/eventing.h"

#include <deque>
#include <filesystem>
#include <future>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "emulator/eventing/testing/memory_store.h"
#include "emulator/journal/journal.h"
#include "platform/async/loop.h"
#include "platform/async/timer.h"
#include "platform/base/bytes.h"
#include "platform/base/random_id.h"
#include "platform/http/server.h"
#include "platform/resource/condition.h"
#include "platform/resource/well_known.h"

namespace hearth::eventing {
namespace {

using namespace std::chrono_literals;

struct Received {
  std::string host;
  http::Headers headers;
  std::string body;
};

// What a subscriber answers: scripted answers first, then 200.
struct Subscriber {
  std::deque<http::Response> script;
  bool hangs = false;
  std::vector<Received> received;
};

http::Response answer(int status, std::string body = {}) {
  return {.head = {.status = status, .headers = {}}, .body = std::move(body)};
}

http::Response reply(const std::string& type, const std::string& source = "/reply") {
  http::Response response = answer(200, "{}");
  response.head.headers.add("ce-specversion", "1.0");
  response.head.headers.add("ce-id", "r");
  response.head.headers.add("ce-type", type);
  response.head.headers.add("ce-source", source);
  return response;
}

// A virtual clock whose wall time can be set by hand.
class MovableClock final : public base::Clock {
 public:
  base::WallTime wall() const override {
    return clock_.wall() + std::chrono::nanoseconds(moved_ns_.load());
  }
  base::MonotonicTime monotonic() const override { return clock_.monotonic(); }
  void advance(std::chrono::nanoseconds by) { clock_.advance(by); }
  void move(std::chrono::nanoseconds by) { moved_ns_ += by.count(); }

 private:
  base::VirtualClock clock_;
  std::atomic<std::int64_t> moved_ns_{0};
};

class EventingTest : public ::testing::Test {
 public:
  EventingTest() : path_(::testing::TempDir() + "eventing-" + base::random_hex(6)) {
    loop_.start();
    open();
  }
  ~EventingTest() override {
    close();
    loop_.stop();  // what is left belongs to it
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
  }

 protected:
  void open() {
    auto database = sqlite::Database::open(path_, sqlite::OpenMode::kReadWrite).value();
    ASSERT_TRUE(sqlite::migrate(database, journal::kRoom, journal::kMigrations));
    writer_ = std::make_unique<sqlite::Writer>(std::move(database));
    loop_.run_blocking(start());
  }
  void close() {
    loop_.run_blocking(stop());
    writer_.reset();
  }
  Task<void> start() {
    journal_ = std::make_unique<journal::Journal>(
        loop_, *writer_, sqlite::Database::open(path_, sqlite::OpenMode::kReadOnly).value(), clock_,
        journal::Options{});
    EXPECT_TRUE(journal_->load());
    const auto dispatch = [this](http::Url url, http::Headers headers, std::string body,
                                 std::chrono::milliseconds timeout) {
      return receive(std::move(url), std::move(headers), std::move(body), timeout);
    };
    eventing_ = std::make_unique<Eventing>(loop_, store_, *journal_, clock_, dispatch, Options{});
    eventing_->start();
    server_ = std::make_unique<http::Server>(
        loop_, "test", [this](http::Exchange& exchange) { return route(exchange); });
    port_ = server_->listen({}).value();
    co_return;
  }
  Task<void> stop() {
    co_await server_->shutdown(100ms);
    co_await eventing_->stop();
    co_await journal_->stop();
    server_.reset();
    eventing_.reset();
    journal_.reset();
  }

  Task<void> route(http::Exchange& exchange) {
    const std::string path(exchange.request().path());
    if (path.starts_with("/hearth/")) co_return co_await eventing_->admin(exchange);
    const auto slash = path.find('/', 1);
    co_await eventing_->ingress(exchange, path.substr(1, slash - 1), path.substr(slash + 1));
  }

  Task<Result<http::Response>> receive(http::Url url, http::Headers headers, std::string body,
                                       std::chrono::milliseconds) {
    Subscriber& subscriber = subscribers_[url.host];
    subscriber.received.push_back({url.host, std::move(headers), std::move(body)});
    if (subscriber.hangs && !co_await async::sleep_for(1h)) co_return fail(Code::kCancelled, "");
    if (subscriber.script.empty()) co_return answer(200);
    http::Response response = std::move(subscriber.script.front());
    subscriber.script.pop_front();
    if (response.head.status == 0) co_return fail(Code::kUnavailable, "connection refused");
    co_return response;
  }

  // --- what a test does, from its own thread ---

  void create(const resource::Type& type, const std::string& name, Json spec,
              Json annotations = Json::object()) {
    Json object = resource::new_object(type, {"default", name});
    object["metadata"]["annotations"] = std::move(annotations);
    object["spec"] = std::move(spec);
    loop_.run_blocking(create_in_loop(type, std::move(object)));
  }
  Task<void> create_in_loop(resource::Type type, Json object) {
    EXPECT_TRUE(co_await store_.create(type, std::move(object), {}));
  }
  void remove(const resource::Type& type, const std::string& name) {
    loop_.run_blocking(remove_in_loop(type, {"default", name}));
  }
  Task<void> remove_in_loop(resource::Type type, resource::ObjectKey key) {
    EXPECT_TRUE(co_await store_.remove(type, std::move(key), {}));
  }
  Json get(const resource::Type& type, const std::string& name) {
    Json out;
    loop_.run_blocking(get_in_loop(out, type, {"default", name}));
    return out;
  }
  Task<void> get_in_loop(Json& out, resource::Type type, resource::ObjectKey key) {
    const auto object = co_await store_.get(type, std::move(key));
    if (object) out = **object;
  }

  // A broker "main" and triggers that are ready.
  void trigger(const std::string& name, Json extra = Json::object()) {
    Json spec{{"broker", "main"}, {"subscriber", {{"uri", "http://" + name + ".test/"}}}};
    spec.update(extra);
    create(resource::kTriggers, name, spec);
    wait_for([&] { return resource::is_condition_true(get(resource::kTriggers, name), "Ready"); });
  }
  void broker(Json spec = Json::object()) {
    create(resource::kBrokers, "main", std::move(spec));
    wait_for([&] { return resource::is_condition_true(get(resource::kBrokers, "main"), "Ready"); });
  }
  // An event whose first delivery to "slow" failed: the next is due in 30 s.
  void fail_once_with_30s_to_wait() {
    broker({{"delivery", {{"retry", 5}, {"backoffDelay", "PT30S"}}}});
    subscribers_["slow.test"].script = {answer(503)};
    trigger("slow");
    post("t");
    wait_for([&] { return admin("GET", "events/1")["deliveries"][0]["attempts"] == 1; });
  }

  template <typename Condition>
  void wait_for(Condition condition) {
    for (int i = 0; i < 2'000; ++i) {
      if (condition()) return;
      loop_.run_blocking(pause());
    }
    ADD_FAILURE() << "waited in vain";
  }
  static Task<void> pause() { co_await async::sleep_for(2ms); }

  std::size_t received(const std::string& name) {
    std::size_t count = 0;
    loop_.run_blocking(count_in_loop(count, name + ".test"));
    return count;
  }
  Task<void> count_in_loop(std::size_t& count, std::string host) {
    count = subscribers_[host].received.size();
    co_return;
  }
  const Received& first(const std::string& name) {
    return subscribers_.at(name + ".test").received.at(0);
  }

  http::Response request(const std::string& method, const std::string& target,
                         http::Headers headers = {}, std::string body = {}) {
    std::optional<Result<http::Response>> out;
    loop_.run_blocking(request_in_loop(out, method, target, std::move(headers), std::move(body)));
    return std::move(**out);
  }
  Task<void> request_in_loop(std::optional<Result<http::Response>>& out, std::string method,
                             std::string target, http::Headers headers, std::string body) {
    http::Url url{.scheme = "http", .host = "127.0.0.1", .port = port_, .target = target};
    out = co_await client_.request(std::move(method), std::move(url), std::move(headers),
                                   std::move(body), {});
  }
  static http::Headers event_headers(const std::string& type, const std::string& id = "1") {
    http::Headers headers;
    headers.add("ce-specversion", "1.0");
    headers.add("ce-id", id);
    headers.add("ce-type", type);
    headers.add("ce-source", "/tests");
    headers.add("Content-Type", "application/json");
    return headers;
  }
  int post(const std::string& type, const std::string& id = "1") {
    return request("POST", "/default/main", event_headers(type, id), R"({"a":1})").head.status;
  }
  Json admin(const std::string& method, const std::string& path) {
    return *base::parse_json(request(method, "/hearth/v1/" + path).body);
  }

  std::string path_;
  MovableClock clock_;
  async::Loop loop_{"test"};
  testing::MemoryStore store_{loop_};
  std::map<std::string, Subscriber> subscribers_;
  std::unique_ptr<sqlite::Writer> writer_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<Eventing> eventing_;
  std::unique_ptr<http::Server> server_;
  http::Client client_{loop_};
  std::uint16_t port_ = 0;
};

TEST_F(EventingTest, DeliversToTheTriggersThatMatch) {
  broker();
  trigger("all");
  trigger("some", {{"filter", {{"attributes", {{"type", "wanted"}}}}}});
  http::Headers headers = event_headers("wanted");
  headers.add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  headers.add("x-request-id", "abc");
  headers.add("x-secret", "no");
  EXPECT_EQ(request("POST", "/default/main", headers, R"({"a": 1})").head.status, 202);
  EXPECT_EQ(post("other", "2"), 202);
  wait_for([&] { return received("all") == 2 && received("some") == 1; });
  const Received& got = first("some");
  EXPECT_EQ(got.body, R"({"a": 1})");
  EXPECT_EQ(got.headers.get("ce-type"), "wanted");
  EXPECT_EQ(got.headers.get("prefer"), "reply");
  EXPECT_EQ(got.headers.get("kn-namespace"), "default");
  EXPECT_EQ(got.headers.get("x-request-id"), "abc");
  EXPECT_FALSE(got.headers.contains("x-secret"));
  EXPECT_FALSE(got.headers.contains("ce-knativebrokerttl"));
  EXPECT_TRUE(got.headers.contains("ce-knativearrivaltime"));
  EXPECT_TRUE(got.headers.get("traceparent")->starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
  EXPECT_FALSE(got.headers.get("traceparent")->contains("b7ad6b7169203331"));
  wait_for([&] {
    const Json event = admin("GET", "events/1");
    return event["deliveries"].size() == 2 && event["deliveries"][0]["state"] == "delivered";
  });
  EXPECT_EQ(admin("GET", "events/2")["verdicts"][1]["verdict"]["passes"], false);
  EXPECT_EQ(admin("GET", "events?type=wanted")["items"].size(), 1U);
}

TEST_F(EventingTest, AnswersByTheContract) {
  broker();
  http::Headers headers = event_headers("t");
  headers.remove("ce-source");
  const auto missing = request("POST", "/default/main", headers);
  EXPECT_EQ(missing.head.status, 400);
  EXPECT_EQ((*base::parse_json(missing.body))["attribute"], "source");
  const auto unknown = request("POST", "/default/maim", event_headers("t"));
  EXPECT_EQ(unknown.head.status, 404);
  EXPECT_NE(unknown.body.find("did you mean"), std::string::npos) << unknown.body;
  EXPECT_EQ(request("GET", "/default/main").head.status, 405);
  EXPECT_EQ(
      request("POST", "/default/main", event_headers("t"), std::string(2'000'000, 'x')).head.status,
      413);
  http::Headers hook;
  hook.add("WebHook-Request-Origin", "eventemitter.example.com");
  const auto consent = request("OPTIONS", "/default/main", hook);
  EXPECT_EQ(consent.head.status, 200);
  EXPECT_EQ(consent.head.headers.get("webhook-allowed-origin"), "eventemitter.example.com");
  EXPECT_EQ(consent.head.headers.get("allow"), "POST, OPTIONS");
  for (const char* hops : {"1", "0", "-1", "-2147483648"}) {
    headers = event_headers("t");
    headers.add("ce-knativebrokerttl", hops);
    EXPECT_EQ(request("POST", "/default/main", headers).head.status, 400) << hops;
  }
}

TEST_F(EventingTest, AProducerCannotGiveAnEventMoreHopsThanTheBrokerDoes) {
  broker();
  trigger("echo");
  for (int i = 0; i < 254; ++i) subscribers_["echo.test"].script.push_back(reply("again"));
  http::Headers headers = event_headers("t");
  headers.add("ce-knativebrokerttl", "2147483647");
  EXPECT_EQ(request("POST", "/default/main", headers).head.status, 202);
  wait_for([&] { return received("echo") == 254; });
  ASSERT_EQ(post("last"), 202);
  wait_for([&] { return received("echo") == 255; });
  EXPECT_EQ(subscribers_.at("echo.test").received.back().headers.get("ce-type"), "last");
}

TEST_F(EventingTest, RetriesThenKeepsADeadLetterAndTellsTheSink) {
  broker({{"delivery", {{"deadLetterSink", {{"uri", "http://sink.test/"}}}, {"retry", 2}}}});
  subscribers_["bad.test"].script = {answer(503), answer(0), answer(500, "broken")};
  trigger("bad");
  ASSERT_EQ(post("t"), 202);
  wait_for([&] { return received("sink") == 1; });
  EXPECT_EQ(received("bad"), 3U);
  const Received& letter = first("sink");
  EXPECT_EQ(letter.headers.get("ce-id"), "1");
  EXPECT_EQ(letter.headers.get("ce-knativeerrordest"), "http://bad.test/");
  EXPECT_EQ(letter.headers.get("ce-knativeerrorcode"), "500");
  EXPECT_EQ(letter.headers.get("ce-knativeerrordata"), base::base64("broken"));
  EXPECT_FALSE(letter.headers.contains("prefer"));
  wait_for([&] { return admin("GET", "deadletters")["items"][0]["sink"] == "sent"; });
  const Json kept = admin("GET", "deadletters?namespace=default")["items"][0];
  EXPECT_EQ(kept["trigger"], "bad");
  EXPECT_EQ(kept["attempts"], 3);
  EXPECT_EQ(kept["body"], "broken");

  EXPECT_EQ(admin("POST", "deadletters/" + kept["id"].dump() + "/replay")["replayed"], 1);
  wait_for([&] { return received("bad") == 4; });
  wait_for([&] { return admin("GET", "events/1")["deliveries"][0]["state"] == "delivered"; });
  EXPECT_TRUE(admin("GET", "deadletters")["items"].empty());
}

TEST_F(EventingTest, BuriesAtOnceWhatNoRetryHelps) {
  broker();
  subscribers_["bad.test"].script = {answer(422)};
  trigger("bad");
  post("t");
  wait_for([&] { return admin("GET", "deadletters")["items"].size() == 1; });
  EXPECT_EQ(received("bad"), 1U);
  EXPECT_EQ(admin("DELETE", "deadletters?namespace=default")["purged"], 1);
}

TEST_F(EventingTest, RetriesOnTheClockAndSurvivesARestart) {
  fail_once_with_30s_to_wait();
  close();
  open();
  wait_for([&] { return admin("GET", "events")["items"].size() == 1; });
  EXPECT_EQ(received("slow"), 1U);
  clock_.advance(31s);
  wait_for([&] { return received("slow") == 2; });
  wait_for([&] { return admin("GET", "events/1")["deliveries"][0]["state"] == "delivered"; });
}

TEST_F(EventingTest, RetriesAtOnceWhatBecameDueWhileItWasDown) {
  fail_once_with_30s_to_wait();
  close();
  clock_.advance(31s);
  open();
  wait_for([&] { return admin("GET", "events/1")["deliveries"][0]["state"] == "delivered"; });
  EXPECT_EQ(received("slow"), 2U);
}

TEST_F(EventingTest, DoesNotLetOneTriggerHoldUpAnother) {
  broker();
  subscribers_["stuck.test"].hangs = true;
  trigger("stuck");
  trigger("fine");
  for (int i = 0; i < 50; ++i) ASSERT_EQ(post("t", std::to_string(i)), 202);
  wait_for([&] { return received("fine") == 50; });
  EXPECT_EQ(received("stuck"), Options().parallelism);
}

TEST_F(EventingTest, PutsRepliesBackIntoTheBroker) {
  broker();
  subscribers_["first.test"].script = {reply("second")};
  trigger("first", {{"filter", {{"attributes", {{"type", "first"}}}}}});
  trigger("second", {{"filter", {{"attributes", {{"type", "second"}}}}}});
  post("first");
  wait_for([&] { return received("second") == 1; });
  EXPECT_EQ(first("second").headers.get("ce-source"), "/reply");
  wait_for([&] { return admin("GET", "events/1")["deliveries"][0]["state"] == "delivered"; });
}

TEST_F(EventingTest, AReplyLargerThanAnEventMayBeBecomesADeadLetterThatSaysSo) {
  broker();
  http::Response large = reply("large");
  large.body = std::string(2'000'000, 'x');
  subscribers_["talkative.test"].script = {large};
  trigger("talkative");
  ASSERT_EQ(post("t"), 202);
  wait_for([&] { return admin("GET", "deadletters")["items"].size() == 1; });
  EXPECT_THAT(admin("GET", "deadletters")["items"][0]["reason"].get<std::string>(),
              ::testing::HasSubstr("an event of 2000000 bytes; it may have 1048576"));
  EXPECT_EQ(received("talkative"), 1U);
}

TEST_F(EventingTest, EndsAReplyLoopByItsHops) {
  broker();
  for (int i = 0; i < 300; ++i) subscribers_["echo.test"].script.push_back(reply("again"));
  trigger("echo");
  post("again");
  wait_for([&] { return admin("GET", "deadletters")["items"].size() == 1; });
  EXPECT_EQ(received("echo"), 255U);
}

TEST_F(EventingTest, NeverGivesAFunctionItsOwnResponse) {
  broker();
  create(resource::kKnativeServices, "fn", Json::object());
  subscribers_["fn.default.svc.cluster.local"].script = {
      reply("io.knative.lambda.response.success", "io.knative.lambda/fn")};
  create(resource::kTriggers, "fn",
         {{"broker", "main"},
          {"filter", {{"attributes", {{"subject", "fn"}}}}},
          {"subscriber",
           {{"ref",
             {{"apiVersion", "serving.knative.dev/v1"}, {"kind", "Service"}, {"name", "fn"}}}}}},
         {{"hearth.local/subject-match", "function"}});
  wait_for([&] { return resource::is_condition_true(get(resource::kTriggers, "fn"), "Ready"); });
  EXPECT_EQ(get(resource::kTriggers, "fn")["status"]["subscriberUri"],
            "http://fn.default.svc.cluster.local");
  trigger("watcher");
  http::Headers headers = event_headers("io.knative.lambda.invoke.async");
  headers.add("ce-subject", "default/fn");
  EXPECT_EQ(request("POST", "/default/main", headers).head.status, 202);
  wait_for([&] { return received("watcher") == 2; });
  const Json event = admin("GET", "events?type=io.knative.lambda.response.success")["items"][0];
  EXPECT_EQ(event["deliveries"].size(), 1U);
}

TEST_F(EventingTest, PurgesWhatWaitsWhenATriggerGoes) {
  broker();
  subscribers_["stuck.test"].hangs = true;
  trigger("stuck");
  for (int i = 0; i < 20; ++i) post("t", std::to_string(i));
  wait_for([&] { return received("stuck") == Options().parallelism; });
  remove(resource::kTriggers, "stuck");
  wait_for([&] { return admin("GET", "events/19")["deliveries"][0]["state"] == "purged"; });
  EXPECT_EQ(post("t"), 202);
}

TEST_F(EventingTest, ShowsInConditionsWhatIsWrong) {
  create(resource::kTriggers, "early",
         {{"broker", "main"}, {"subscriber", {{"uri", "http://early.test"}}}});
  create(resource::kTriggers, "lost",
         {{"broker", "main"},
          {"subscriber", {{"ref", {{"apiVersion", "v1"}, {"kind", "Service"}, {"name", "x"}}}}}});
  create(resource::kTriggers, "sql",
         {{"broker", "main"},
          {"filters", Json::array({{{"cesql", "type = 'a'"}}})},
          {"subscriber", {{"uri", "http://sql.test"}}}});
  wait_for([&] {
    return resource::condition_of(get(resource::kTriggers, "early"), "Ready").reason ==
           "BrokerDoesNotExist";
  });
  broker();
  EXPECT_EQ(get(resource::kBrokers, "main")["status"]["address"]["url"],
            "http://broker-ingress.knative-eventing.svc.cluster.local/default/main");
  wait_for([&] { return resource::is_condition_true(get(resource::kTriggers, "early"), "Ready"); });
  wait_for([&] {
    return resource::condition_of(get(resource::kTriggers, "lost"), "Ready").reason ==
           "SubscriberNotResolved";
  });
  wait_for([&] {
    const auto sql = resource::condition_of(get(resource::kTriggers, "sql"), "Ready");
    return sql.reason == "InvalidSpec" && sql.message.contains("CloudEvents SQL");
  });
  create(resource::kServices, "x", Json::object());
  wait_for([&] { return resource::is_condition_true(get(resource::kTriggers, "lost"), "Ready"); });
  remove(resource::kServices, "x");
  wait_for([&] {
    return resource::condition_of(get(resource::kTriggers, "lost"), "Ready").reason ==
           "SubscriberNotResolved";
  });
}

TEST_F(EventingTest, SendsOnSchedule) {
  broker();
  trigger("sink");
  create(resource::kPingSources, "ping",
         {{"schedule", "*/5 * * * *"},
          {"contentType", "application/json"},
          {"data", R"({"m":1})"},
          {"ceOverrides", {{"extensions", {{"color", "red"}}}}},
          {"sink",
           {{"ref",
             {{"apiVersion", "eventing.knative.dev/v1"}, {"kind", "Broker"}, {"name", "main"}}}}}});
  create(resource::kCronJobSources, "cron",
         {{"schedule", "0 0 1 1 *"}, {"data", "hi"}, {"sink", {{"uri", "http://direct.test/"}}}});
  create(resource::kPingSources, "wrong", {{"schedule", "@every 5s"}});
  wait_for(
      [&] { return resource::is_condition_true(get(resource::kPingSources, "ping"), "Ready"); });
  wait_for([&] {
    return resource::condition_of(get(resource::kPingSources, "wrong"), "Ready").reason ==
           "InvalidSpec";
  });
  clock_.advance(5min);
  wait_for([&] { return received("sink") == 1; });
  const Received& ping = first("sink");
  EXPECT_EQ(ping.headers.get("ce-type"), "dev.knative.sources.ping");
  EXPECT_EQ(ping.headers.get("ce-source"), "/apis/v1/namespaces/default/pingsources/ping");
  EXPECT_EQ(ping.headers.get("ce-color"), "red");
  EXPECT_EQ(ping.body, R"({"m":1})");
  clock_.advance(24h * 366);
  wait_for([&] { return received("direct") == 1; });
  EXPECT_EQ(first("direct").body, R"({"body":"hi"})");
  EXPECT_EQ(first("direct").headers.get("ce-type"), "dev.knative.cronjob.event");
}

TEST_F(EventingTest, AClockThatIsSetBackOrForwardStopsAndHurriesNoSchedule) {
  create(resource::kPingSources, "ping",
         {{"schedule", "* * * * *"}, {"sink", {{"uri", "http://direct.test/"}}}});
  wait_for(
      [&] { return resource::is_condition_true(get(resource::kPingSources, "ping"), "Ready"); });
  clock_.move(-30 * 24h);
  wait_for([&] {
    clock_.advance(1s);
    return received("direct") == 1;
  });
  clock_.move(1h);
  wait_for([&] {
    clock_.advance(1s);
    return received("direct") >= 3;
  });
  EXPECT_LE(received("direct"), 5U);
}

TEST_F(EventingTest, AClockThatIsSetBackHoldsUpNoRetry) {
  fail_once_with_30s_to_wait();
  clock_.move(-1h);
  clock_.advance(31s);
  wait_for([&] { return received("slow") == 2; });
}

TEST_F(EventingTest, SendsStructuredWhenTheTriggerAsks) {
  broker();
  trigger("json", {{"delivery", {{"format", "json"}}}});
  post("t");
  wait_for([&] { return received("json") == 1; });
  const auto event = base::parse_json(first("json").body);
  ASSERT_TRUE(event);
  EXPECT_EQ((*event)["data"]["a"], 1);
  EXPECT_FALSE(event->contains("knativebrokerttl"));
  EXPECT_TRUE(
      first("json").headers.get("content-type")->starts_with("application/cloudevents+json"));
}

TEST_F(EventingTest, InjectsADefaultBroker) {
  Json ns = resource::new_object(resource::kNamespaces, {"", "default"});
  ns["metadata"]["labels"] = {{"eventing.knative.dev/injection", "enabled"}};
  loop_.run_blocking(create_in_loop(resource::kNamespaces, std::move(ns)));
  wait_for(
      [&] { return resource::is_condition_true(get(resource::kBrokers, "default"), "Ready"); });
}

}  // namespace
}  // namespace hearth::eventing
