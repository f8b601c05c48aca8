#include "emulator/gateway/activator.h"

#include <future>
#include <list>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/async/loop.h"
#include "platform/async/task_group.h"

namespace hearth::gateway {
namespace {

using namespace std::chrono_literals;

RevisionPtr revision_named(const char* name) {
  return std::make_shared<Revision>(RevisionSettings{.ns = "n", .name = name});
}

RevisionPtr revision_of_one_place_each(std::vector<std::string> ids) {
  const auto revision =
      std::make_shared<Revision>(RevisionSettings{.ns = "n", .name = "fn-1", .concurrency = 1});
  Instances instances;
  for (auto& id : ids) instances.push_back({.id = std::move(id), .socket_path = "", .host = ""});
  revision->set_instances(std::move(instances));
  return revision;
}

std::shared_ptr<const Route> route_to(std::vector<RouteTarget> targets) {
  return std::make_shared<const Route>(Route{"n", "fn", std::move(targets)});
}

RouteTable table_of(std::shared_ptr<const Route> route) {
  RouteTable table;
  table.by_name["n/fn"] = std::move(route);
  return table;
}

class ActivatorTest : public testing::Test {
 public:
  ActivatorTest() { loop_.start(); }

 protected:
  // Runs on the loop after all that was begun before.
  void on_loop(std::function<void()> work) {
    std::promise<void> done;
    loop_.post([&] {
      work();
      done.set_value();
    });
    done.get_future().get();
  }

  void begin(const char* name, RevisionPtr revision, const http::Stream* client = nullptr) {
    on_loop([&] { tasks_.spawn(wait(name, revision, client)); });
  }

  void begin_to_wait(const char* name, RevisionPtr revision, const http::Stream* client = nullptr) {
    const auto others = revision->metrics.queued.value();
    begin(name, revision, client);
    until([&] { return revision->metrics.queued.value() > others; });
  }

  void until(std::function<bool()> holds) {
    for (bool held = false; !held;) on_loop([&] { held = holds(); });
  }

  Task<void> wait(std::string name, RevisionPtr revision, const http::Stream* client) {
    bool cold = false;
    const auto place = co_await activator_.acquire(
        revision, {.route = route_to({{revision}}), .timeout = 1h, .client = client}, cold);
    ended_.push_back(name + ": " + (place ? place->instance()->id : place.error().message));
  }

  // Keeps its place, when it gets one.
  Task<void> hold(RevisionPtr revision, const http::Stream* client = nullptr) {
    bool cold = false;
    auto place = co_await activator_.acquire(
        revision, {.route = route_to({{revision}}), .timeout = 10s, .client = client}, cold);
    if (place) places_.push_back(std::move(*place));
  }

  // How many got a place, once nobody waits any more.
  std::size_t held() {
    loop_.run_blocking(tasks_.drain());
    const std::size_t count = places_.size();
    on_loop([&] { places_.clear(); });
    return count;
  }

  static std::size_t waiting(const RevisionPtr& revision) {
    return static_cast<std::size_t>(revision->metrics.queued.value());
  }

  // One end as a stream of the loop; the other end.
  base::UniqueFd connect(std::unique_ptr<http::Stream>& stream) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    on_loop([&] { stream = http::Stream::adopt(loop_, base::UniqueFd(ends[0])); });
    return base::UniqueFd(ends[1]);
  }

  void start_instance(const RevisionPtr& revision, const char* id) {
    revision->set_instances({{.id = id, .socket_path = "", .host = ""}});
    on_loop([&] { activator_.wake(revision->key()); });
  }

  // What became of those who waited, once all have ended.
  std::vector<std::string> ended() {
    loop_.run_blocking(tasks_.drain());
    return ended_;
  }

  async::Loop loop_{"test"};
  Activator activator_{loop_, [](const RevisionPtr&) {}, 1ms};
  async::TaskGroup tasks_{loop_};
  std::vector<std::string> ended_;
  std::list<Activator::Place> places_;
};

constexpr const char* kGone = "old: n/fn-1 was deleted or replaced while the request waited for it";

TEST_F(ActivatorTest, ServesARevisionOfTheSameNameWhileSomebodyWaitsForTheOldOne) {
  const auto old = revision_named("fn-1");
  begin_to_wait("old", old);
  const auto fresh = revision_named("fn-1");
  fresh->set_instances({{.id = "i", .socket_path = "", .host = ""}});
  begin("new", fresh);
  EXPECT_EQ(ended(), (std::vector<std::string>{"new: i", kGone}));
}

TEST_F(ActivatorTest, LetsNobodyWaitForAFunctionThatWent) {
  const auto old = revision_named("fn-1");
  begin_to_wait("old", old);
  on_loop([&] { activator_.follow({}); });
  EXPECT_EQ(ended(), std::vector<std::string>{kGone});
  EXPECT_EQ(old->metrics.queued.value(), 0);
}

TEST_F(ActivatorTest, LetsNobodyWaitForAFunctionThatWasMadeAgain) {
  begin_to_wait("old", revision_named("fn-1"));
  on_loop([&] { activator_.follow(table_of(route_to({{revision_named("fn-1")}}))); });
  EXPECT_EQ(ended(), std::vector<std::string>{kGone});
}

TEST_F(ActivatorTest, LetsNobodyWaitWhereNewcomersAreTurnedAway) {
  begin_to_wait("old", revision_named("fn-1"));
  on_loop([&] { activator_.follow(table_of(route_to({}))); });
  EXPECT_EQ(ended(), std::vector<std::string>{kGone});
}

TEST_F(ActivatorTest, ARevisionThatLostItsTrafficStillServesWhoWaitsForIt) {
  const auto old = revision_named("fn-1");
  begin_to_wait("old", old);
  on_loop([&] {
    activator_.follow(table_of(route_to({{old}})));
    activator_.follow(table_of(route_to({{revision_named("fn-2")}})));
  });
  start_instance(old, "i");
  EXPECT_EQ(ended(), std::vector<std::string>{"old: i"});
}

TEST_F(ActivatorTest, WaitsNoLongerThanItsClient) {
  std::unique_ptr<http::Stream> client;
  base::UniqueFd peer = connect(client);
  const auto revision = revision_named("fn-1");
  begin_to_wait("left", revision, client.get());
  begin_to_wait("stays", revision);
  peer.reset();
  until([&] { return revision->metrics.queued.value() == 1; });
  start_instance(revision, "i");
  EXPECT_EQ(ended(), (std::vector<std::string>{"left: the client has gone", "stays: i"}));
  on_loop([&] { client.reset(); });
}

TEST_F(ActivatorTest, LetsNobodyWaitForARevisionThatWasDeletedWhileItsRouteHasOthers) {
  const auto old = revision_named("fn-1");
  begin_to_wait("old", old);
  old->retire();
  on_loop([&] { activator_.wake(old->key()); });
  begin("old", old);
  EXPECT_EQ(ended(), (std::vector<std::string>{kGone, kGone}));
}

TEST_F(ActivatorTest, ATableThatStillNamesADeletedRevisionKeepsNobodyWaiting) {
  const auto old = revision_named("fn-1");
  begin_to_wait("old", old);
  old->retire();
  on_loop(
      [&] { activator_.follow(table_of(route_to({{old, 50}, {revision_named("fn-2"), 50}}))); });
  EXPECT_EQ(ended(), std::vector<std::string>{kGone});
}

TEST_F(ActivatorTest, WhoIsCancelledWhileHeWakesLeavesTheQueue) {
  const auto revision = revision_named("fn-1");
  async::TaskGroup cancelled(loop_);
  on_loop([&] { cancelled.spawn(wait("cancelled", revision, nullptr)); });
  until([&] { return waiting(revision) == 1; });
  on_loop([&] {
    activator_.wake(revision->key());
    cancelled.cancel();
  });
  loop_.run_blocking(cancelled.drain());
  EXPECT_EQ(waiting(revision), 0U);
  ended_.clear();
  begin_to_wait("next", revision);
  start_instance(revision, "i");
  EXPECT_EQ(ended(), std::vector<std::string>{"next: i"});
}

TEST_F(ActivatorTest, TwoPlacesThatBecomeFreeAtOnceServeTwo) {
  const auto revision = revision_of_one_place_each({"a", "b"});
  for (int i = 0; i < 2; ++i) on_loop([&] { tasks_.spawn(hold(revision)); });
  until([&] { return places_.size() == 2; });
  for (int i = 0; i < 2; ++i) on_loop([&] { tasks_.spawn(hold(revision)); });
  until([&] { return waiting(revision) == 2; });
  on_loop([&] { places_.clear(); });
  EXPECT_EQ(held(), 2U);
}

TEST_F(ActivatorTest, APlaceThatBecomesFreeWhileTheFirstLooksAfterHisClientIsHis) {
  std::unique_ptr<http::Stream> client;
  const base::UniqueFd peer = connect(client);
  const auto revision = revision_of_one_place_each({"a"});
  on_loop([&] { tasks_.spawn(hold(revision)); });
  on_loop([&] { tasks_.spawn(hold(revision, client.get())); });
  until([&] { return waiting(revision) == 1; });
  // The loop is busy until the interval is over: its tick and the release are due together.
  on_loop([&] {
    const auto end = std::chrono::steady_clock::now() + 5ms;
    while (std::chrono::steady_clock::now() < end) continue;
    loop_.post([&] { places_.clear(); });
  });
  EXPECT_EQ(held(), 1U);
  on_loop([&] { client.reset(); });
}

TEST_F(ActivatorTest, ConnectionsOfAnInstanceThatEndedAreClosed) {
  const auto revision = revision_of_one_place_each({"a"});
  on_loop([&] { tasks_.spawn(hold(revision)); });
  until([&] { return places_.size() == 1; });
  const InstanceEndpoint endpoint = *places_.front().instance();
  std::unique_ptr<http::Stream> idle;
  std::unique_ptr<http::Stream> late;
  const base::UniqueFd idle_peer = connect(idle);
  const base::UniqueFd late_peer = connect(late);
  on_loop([&] { activator_.keep(endpoint, frame_connection(std::move(idle))); });
  const auto is_closed = [](const base::UniqueFd& peer) {
    char byte = 0;
    return ::recv(peer.get(), &byte, 1, MSG_DONTWAIT) == 0;
  };
  EXPECT_FALSE(is_closed(idle_peer));
  revision->set_instances({});
  on_loop([&] { activator_.wake(revision->key()); });
  EXPECT_TRUE(is_closed(idle_peer));
  on_loop([&] {
    activator_.keep(endpoint, frame_connection(std::move(late)));
    places_.clear();
  });
  EXPECT_TRUE(is_closed(late_peer));
}

}  // namespace
}  // namespace hearth::gateway
