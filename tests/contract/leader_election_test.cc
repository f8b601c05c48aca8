// One leads, the others wait: on the embedded store and through an API server.
#include "kube-adapter/leader_election.h"

#include <gtest/gtest.h>

#include "platform/async/signal.h"
#include "platform/async/task_group.h"
#include "tests/contract/worlds.h"

namespace hearth::contract {
namespace {

using kube_adapter::kLeases;
using kube_adapter::LeaderElection;
using kube_adapter::LeaseOptions;

class LeaderElectionContract : public testing::TestWithParam<World> {
 protected:
  static LeaseOptions options(const std::string& identity) {
    LeaseOptions out;
    out.key = {"demo", "operator"};
    out.identity = identity;
    out.duration = std::chrono::milliseconds(1500);
    out.deadline = std::chrono::milliseconds(1000);
    out.retry = std::chrono::milliseconds(50);
    return out;
  }
  std::string holder() {
    const auto lease = kubernetes_.wait(kubernetes_.store().get(kLeases, {"demo", "operator"}));
    return lease ? base::string_at(**lease, {"spec", "holderIdentity"}) : "";
  }

  base::SystemClock clock_;
  Kubernetes kubernetes_{GetParam()};
  LeaderElection ada_{kubernetes_.store(), clock_, options("ada")};
  LeaderElection bob_{kubernetes_.store(), clock_, options("bob")};
};

TEST_P(LeaderElectionContract, TheNextOneLeadsAsSoonAsTheFirstLetsGo) {
  ASSERT_TRUE(kubernetes_.wait(ada_.acquire()));
  EXPECT_EQ(holder(), "ada");
  EXPECT_TRUE(kubernetes_.wait(ada_.release()));
  EXPECT_FALSE(kubernetes_.wait(bob_.release()));
  EXPECT_EQ(holder(), "");
  ASSERT_TRUE(kubernetes_.wait(bob_.acquire()));
  EXPECT_EQ(holder(), "bob");
}

TEST_P(LeaderElectionContract, ALeaseThatNobodyRenewsGoesToTheNextAndTheFirstLearnsOfIt) {
  ASSERT_TRUE(kubernetes_.wait(ada_.acquire()));
  ASSERT_TRUE(kubernetes_.wait(bob_.acquire()));
  EXPECT_EQ(holder(), "bob");
  EXPECT_EQ(kubernetes_.wait(ada_.hold()).code, Code::kConflict);
  EXPECT_EQ(holder(), "bob");
}

Task<void> acquire_into(LeaderElection& election, bool& acquired) {
  acquired = co_await election.acquire();
}

TEST_P(LeaderElectionContract, WhileOneRenewsNobodyElseLeads) {
  ASSERT_TRUE(kubernetes_.wait(ada_.acquire()));
  bool acquired = false;
  kubernetes_.run([](Kubernetes& world, LeaderElection& ada, LeaderElection& bob,
                     bool& bob_leads) -> Task<void> {
    async::TaskGroup tasks(world.loop());
    async::Signal never(world.loop());
    tasks.spawn([](LeaderElection& leader) -> Task<void> { (void)co_await leader.hold(); }(ada));
    tasks.spawn(acquire_into(bob, bob_leads));
    // Twice the time after which a silent holder loses.
    (void)co_await never.wait_for(std::chrono::seconds(3));
    tasks.cancel();
    co_await tasks.drain();
  }(kubernetes_, ada_, bob_, acquired));
  EXPECT_FALSE(acquired);
  EXPECT_EQ(holder(), "ada");
}

INSTANTIATE_TEST_SUITE_P(Worlds, LeaderElectionContract,
                         testing::Values(World::kEmbedded, World::kRemote),
                         [](const auto& world) { return name_of_world(world.param); });

}  // namespace
}  // namespace hearth::contract
