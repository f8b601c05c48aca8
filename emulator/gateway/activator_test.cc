#include "emulator/gateway/activator.h"

#include <future>
#include <string>
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
    while (!holds()) on_loop([] {});
  }

  Task<void> wait(std::string name, RevisionPtr revision, const http::Stream* client) {
    bool cold = false;
    const auto place = co_await activator_.acquire(
        revision, {.route = route_to({{revision}}), .timeout = 1h, .client = client}, cold);
    ended_.push_back(name + ": " + (place ? place->instance()->id : place.error().message));
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
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  std::unique_ptr<http::Stream> client;
  on_loop([&] { client = http::Stream::adopt(loop_, base::UniqueFd(ends[0])); });
  const auto revision = revision_named("fn-1");
  begin_to_wait("left", revision, client.get());
  begin_to_wait("stays", revision);
  ::close(ends[1]);
  until([&] { return revision->metrics.queued.value() == 1; });
  start_instance(revision, "i");
  EXPECT_EQ(ended(), (std::vector<std::string>{"left: the client has gone", "stays: i"}));
  on_loop([&] { client.reset(); });
}

}  // namespace
}  // namespace hearth::gateway
