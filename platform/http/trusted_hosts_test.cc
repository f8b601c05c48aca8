#include "platform/http/trusted_hosts.h"

#include <future>

#include <gtest/gtest.h>

#include "platform/async/loop.h"
#include "platform/http/client.h"
#include "platform/http/server.h"

namespace hearth::http {
namespace {

using Kind = TrustedHosts::Kind;

TrustedHosts sample() {
  return TrustedHosts({.names = {"localhost", "box.example.com"},
                       .domains = {"svc.cluster.local"},
                       .setting = "--host NAME"});
}

TEST(HostName, IsTheFieldWithoutPortAndRootDot) {
  EXPECT_EQ(host_name("a.example:8080"), "a.example");
  EXPECT_EQ(host_name("a.example."), "a.example");
  EXPECT_EQ(host_name("a.example.:80"), "a.example");
  EXPECT_EQ(host_name("[::1]:80"), "[::1]");
  EXPECT_EQ(host_name("[::1"), "[::1");
  EXPECT_EQ(host_name(""), "");
}

TEST(TrustedHosts, WhatNoNameServerAnswersForIsTheMachine) {
  for (const char* host :
       {"", ":80", "127.0.0.1", "10.1.2.3:9000", "[::1]", "[::ffff:127.0.0.1]:80", "hearth",
        "hearth:5001", "localhost", "LOCALHOST.:8080"}) {
    EXPECT_EQ(sample().kind_of(host), Kind::kMachine) << host;
  }
}

TEST(TrustedHosts, ANameIsTrustedWithWhatIsBelowIt) {
  EXPECT_EQ(sample().kind_of("box.example.com:8080"), Kind::kMachine);
  EXPECT_EQ(sample().kind_of("Box.Example.COM."), Kind::kMachine);
  for (const char* host : {"fn.ns.localhost", "bucket.s3.localhost:9000", "fn.ns.box.example.com",
                           "fn.ns.LocalHost"}) {
    EXPECT_EQ(sample().kind_of(host), Kind::kBelow) << host;
  }
}

TEST(TrustedHosts, OfADomainOnlyWhatIsBelowItIsTrusted) {
  EXPECT_EQ(sample().kind_of("fn.ns.svc.cluster.local:80"), Kind::kBelow);
  EXPECT_EQ(sample().kind_of("svc.cluster.local"), Kind::kForeign);
}

TEST(TrustedHosts, ANameThatOnlyResemblesATrustedOneIsForeign) {
  for (const char* host :
       {"evil.com", "evil.com:8080", "evil.com.", "broker-ingress.knative-eventing.evil.com",
        "localhost.evil.com", "127.0.0.1.evil.com", "notlocalhost.com", "evil.notlocalhost",
        "fn.ns.svc.cluster.local.evil.com", "evil.xsvc.cluster.local", "example.com",
        "otherbox.example.com", "evil.com:127.0.0.1"}) {
    EXPECT_EQ(sample().kind_of(host), Kind::kForeign) << host;
    EXPECT_FALSE(sample().trusts(host)) << host;
  }
}

class AnsweringTest : public ::testing::Test {
 public:
  AnsweringTest() {
    loop_.start();
    server_.answer_only(hosts_);
    std::promise<std::uint16_t> port;
    loop_.post([&] { port.set_value(server_.listen({}).value()); });
    port_ = port.get_future().get();
  }
  ~AnsweringTest() override {
    loop_.run_blocking(server_.shutdown(std::chrono::milliseconds(100)));
  }

 protected:
  Response fetch(const std::string& host) {
    Result<Response> out = fail(Code::kInternal, "not run");
    loop_.run_blocking(fetch_into(out, host));
    return out ? *out : Response{.head = {.status = 0, .headers = {}}, .body = out.error().message};
  }

  Task<void> fetch_into(Result<Response>& out, std::string host) {
    Url url{.scheme = "http", .host = "127.0.0.1", .port = port_, .target = "/"};
    Headers headers;
    headers.add("Host", host);
    out = co_await client_.request("POST", url, std::move(headers), "body", {});
  }

  Task<void> handle(Exchange& exchange) {
    ++handled_;
    co_await exchange.respond(200, "text/plain", "yes");
  }

  const TrustedHosts hosts_ = sample();
  async::Loop loop_{"test"};
  Server server_{loop_, "test", [this](Exchange& exchange) { return handle(exchange); }};
  Client client_{loop_};
  std::uint16_t port_ = 0;
  int handled_ = 0;
};

TEST_F(AnsweringTest, AForeignHostIsRefusedBeforeTheHandlerSeesIt) {
  const Response refused = fetch("evil.com:8080");
  EXPECT_EQ(refused.head.status, 421);
  EXPECT_EQ(handled_, 0);
  EXPECT_TRUE(refused.body.starts_with("host \"evil.com\" is not answered: ")) << refused.body;
  EXPECT_TRUE(refused.body.contains("DNS rebinding")) << refused.body;
  EXPECT_TRUE(refused.body.ends_with("allow this name: --host NAME\n")) << refused.body;
}

TEST_F(AnsweringTest, ItsConnectionServesTheNextRequest) {
  EXPECT_EQ(fetch("evil.com").head.status, 421);
  EXPECT_EQ(fetch("fn.ns.localhost").head.status, 200);
  EXPECT_EQ(fetch("127.0.0.1").body, "yes");
  EXPECT_EQ(handled_, 2);
  EXPECT_EQ(server_.connections(), 1U);
}

}  // namespace
}  // namespace hearth::http
