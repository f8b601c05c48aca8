#include "emulator/builder/passed_environment.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::builder {
namespace {

using testing::Contains;
using testing::Key;
using testing::Not;

// Sets a variable for a test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

TEST(PassedEnvironment, KnowsCredentials) {
  EXPECT_TRUE(holds_credentials("index-url = https://user:word@pypi.example/simple"));
  EXPECT_TRUE(holds_credentials("GOPROXY=https://key@proxy.example,direct"));
  EXPECT_TRUE(holds_credentials("//registry.npmjs.org/:_authToken=abc"));
  EXPECT_TRUE(holds_credentials("[global]\nPassword = x"));
}

TEST(PassedEnvironment, AddressesAreNoCredentials) {
  EXPECT_FALSE(holds_credentials("https://pypi.example:8443/simple/@scope"));
  EXPECT_FALSE(holds_credentials("@mine:registry=http://127.0.0.1:4873/"));
  EXPECT_FALSE(holds_credentials("cafile=/etc/ssl/certs/ca-certificates.crt"));
  EXPECT_FALSE(holds_credentials(""));
}

TEST(PassedEnvironment, WherePackagesComeFromPasses) {
  const Variable pip("PIP_INDEX_URL", "http://127.0.0.1:1/simple");
  const Variable npm("npm_config_registry", "http://127.0.0.1:2/");
  const Variable go("GOPROXY", "http://127.0.0.1:3,off");
  const Variable other("HEARTH_TEST_OTHER", "1");
  const auto passed = passed_environment(HostCredentials::kWithhold).variables;
  EXPECT_EQ(passed.at("PIP_INDEX_URL"), "http://127.0.0.1:1/simple");
  EXPECT_EQ(passed.at("npm_config_registry"), "http://127.0.0.1:2/");
  EXPECT_EQ(passed.at("GOPROXY"), "http://127.0.0.1:3,off");
  EXPECT_THAT(passed, Not(Contains(Key("HEARTH_TEST_OTHER"))));
}

TEST(PassedEnvironment, PathsOfCertificatesAreNoCredentials) {
  const Variable node("NODE_EXTRA_CA_CERTS", "/etc/secrets/ca.pem");
  const Variable pip("PIP_FIND_LINKS", "/srv/secrets");
  const auto held = passed_environment(HostCredentials::kWithhold);
  EXPECT_EQ(held.variables.at("NODE_EXTRA_CA_CERTS"), "/etc/secrets/ca.pem");
  EXPECT_THAT(held.withheld, testing::ElementsAre("PIP_FIND_LINKS"));
}

TEST(PassedEnvironment, CredentialsPassWhenTheDaemonWasToldSo) {
  const Variable pip("PIP_EXTRA_INDEX_URL", "https://me:word@pypi.example/simple");
  const Variable npm("npm_config__authToken", "abc");
  const Variable proxy("https_proxy", "me:word@proxy.example:3128");
  const auto held = passed_environment(HostCredentials::kWithhold);
  for (const char* name : {"PIP_EXTRA_INDEX_URL", "npm_config__authToken", "https_proxy"}) {
    EXPECT_THAT(held.variables, Not(Contains(Key(name))));
    EXPECT_THAT(held.withheld, Contains(name));
  }
  const auto passed = passed_environment(HostCredentials::kPass);
  EXPECT_EQ(passed.variables.at("npm_config__authToken"), "abc");
  EXPECT_THAT(passed.withheld, testing::IsEmpty());
}

}  // namespace
}  // namespace hearth::builder
