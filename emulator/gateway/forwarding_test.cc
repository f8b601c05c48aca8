// The gateway between a client and an instance whose every step the test makes itself: sockets on
// both sides, that block.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "emulator/gateway/frames.h"
#include "emulator/gateway/gateway.h"
#include "platform/async/loop.h"
#include "platform/base/unique_fd.h"
#include "platform/http/server.h"
#include "platform/http/trusted_hosts.h"

namespace hearth::gateway {
namespace {

// A socket that blocks, but never longer than a test may take.
base::UniqueFd open_socket(int family) {
  base::UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval most{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
  return fd;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// How much of it went out.
std::size_t send_all(int fd, std::string_view data) {
  std::size_t sent = 0;
  while (sent < data.size()) {
    const auto put = ::send(fd, data.data() + sent, data.size() - sent, MSG_NOSIGNAL);
    if (put <= 0) break;
    sent += static_cast<std::size_t>(put);
  }
  return sent;
}

// What comes until it contains `mark`, or ends.
std::string receive_until(int fd, std::string_view mark) {
  std::string out;
  std::string piece(64 * 1024, '\0');
  while (true) {
    const auto got = ::recv(fd, piece.data(), piece.size(), 0);
    if (got <= 0) return out;
    const std::size_t before = out.size() - std::min(out.size(), mark.size());
    out.append(piece, 0, static_cast<std::size_t>(got));
    if (!mark.empty() && out.find(mark, before) != out.npos) return out;
  }
}

// Bytes that the other end of a TCP connection has received and not read, by the kernel's table.
std::string unread_by_peer(int fd) {
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size);
  const std::string wanted = fmt::format(":{:04X}", ntohs(peer.sin_port));
  std::ifstream table("/proc/net/tcp");
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string number, local, remote, state, queues;
    fields >> number >> local >> remote >> state >> queues;
    if (local.ends_with(wanted)) return queues.substr(queues.find(':') + 1);
  }
  return "no such connection";
}

void wait_until_read(int fd) {
  while (unread_by_peer(fd) != "00000000") std::this_thread::yield();
}

enum class Speaks { kFrames, kHttp };

class ForwardingTest : public testing::TestWithParam<Speaks> {
 public:
  ForwardingTest() {
    loop_.start();
    listen_as_instance();
    revision_->set_instances({endpoint_});
    auto table = std::make_shared<RouteTable>();
    auto route = std::make_shared<const Route>(Route{"n", "fn", {{revision_}}});
    table->by_host["fn.n"] = route;
    table->by_name["n/fn"] = route;
    gateway_.publish(std::move(table));
    std::promise<std::uint16_t> port;
    loop_.post([&] { port.set_value(server_.listen({}).value()); });
    port_ = port.get_future().get();
  }
  ~ForwardingTest() override {
    loop_.run_blocking(server_.shutdown(std::chrono::milliseconds(100)));
    if (!endpoint_.socket_path.empty()) std::filesystem::remove(endpoint_.socket_path);
  }

 protected:
  void listen_as_instance() {
    endpoint_.id = "i";
    endpoint_.host = "127.0.0.1";
    if (GetParam() == Speaks::kFrames) return listen_for_frames();
    listener_ = open_socket(AF_INET);
    // Little room, so that who isn't read can't send much.
    const int room = 64 * 1024;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(::bind(listener_.get(), generic, size), 0);
    ASSERT_EQ(::getsockname(listener_.get(), generic, &size), 0);
    ASSERT_EQ(::listen(listener_.get(), 8), 0);
    endpoint_.port = ntohs(address.sin_port);
  }

  void listen_for_frames() {
    endpoint_.socket_path = testing::TempDir() + "/forwarding-" + std::to_string(::getpid());
    std::filesystem::remove(endpoint_.socket_path);
    listener_ = open_socket(AF_UNIX);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    ASSERT_LT(endpoint_.socket_path.size(), sizeof address.sun_path);
    endpoint_.socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    ASSERT_EQ(::listen(listener_.get(), 8), 0);
  }

  base::UniqueFd connect() {
    base::UniqueFd fd = open_socket(AF_INET);
    const sockaddr_in address = loopback(port_);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  base::UniqueFd accept() { return base::UniqueFd(::accept(listener_.get(), nullptr, nullptr)); }

  static std::string refusal() {
    if (GetParam() == Speaks::kHttp) {
      return "HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large";
    }
    std::string out;
    append_frame(out, FrameType::kHead, false, "413\ncontent-length: 9\n");
    append_frame(out, FrameType::kData, true, "too large");
    return out;
  }

  async::Loop loop_{"test"};
  base::UniqueFd listener_;
  InstanceEndpoint endpoint_;
  RevisionPtr revision_ = std::make_shared<Revision>(RevisionSettings{.ns = "n", .name = "fn-1"});
  const http::TrustedHosts hosts_{
      http::TrustedHosts::Options{.names = {"localhost"}, .domains = {}, .setting = "--host NAME"}};
  Gateway gateway_{
      loop_,
      {.need_instance = [](const RevisionPtr&) {},
       .instance_broken = [](const std::string&, const std::string&, std::string_view) {},
       .hosts = &hosts_}};
  http::Server server_{loop_, "test",
                       [this](http::Exchange& exchange) { return gateway_.handle(exchange); }};
  std::uint16_t port_ = 0;
};

const std::string kHead = "POST / HTTP/1.1\r\nHost: fn.n\r\n";
constexpr std::size_t kBodyBytes = 32'000'000;
// In the request's head as it reaches the instance, near its end.
constexpr std::string_view kForwarded = "proto=http";

TEST_P(ForwardingTest, AnAnswerBeforeTheBodysEndIsPassedOnWhenTheInstanceCloses) {
  const std::string body(kBodyBytes, 'x');
  const std::string length = "Content-Length: " + std::to_string(kBodyBytes) + "\r\n\r\n";
  const std::string coded = "1e84800\r\n" + body + "\r\n0\r\n\r\n";
  for (const auto& [fields, content] :
       {std::pair(length, body),
        std::pair(std::string("Transfer-Encoding: chunked\r\n\r\n"), coded)}) {
    const base::UniqueFd client = connect();
    send_all(client.get(), kHead + fields + content.substr(0, 100'000));
    {
      const base::UniqueFd instance = accept();
      EXPECT_TRUE(receive_until(instance.get(), kForwarded).contains(kForwarded));
      send_all(instance.get(), refusal());
    }  // closes with most of the body unread
    EXPECT_EQ(send_all(client.get(), content.substr(100'000)), content.size() - 100'000);
    const std::string answer = receive_until(client.get(), "");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
    EXPECT_TRUE(answer.ends_with("too large")) << answer;
  }
}

TEST_P(ForwardingTest, ARefusalIsPassedOnWhenTheInstanceReadsNoMore) {
  // Wrappers, who speak frames, close when they refuse.
  if (GetParam() == Speaks::kFrames) return;
  const base::UniqueFd client = connect();
  send_all(client.get(), kHead + "Content-Length: " + std::to_string(kBodyBytes) + "\r\n\r\nx");
  const base::UniqueFd instance = accept();
  EXPECT_TRUE(receive_until(instance.get(), kForwarded).contains(kForwarded));
  send_all(instance.get(), refusal());
  EXPECT_EQ(send_all(client.get(), std::string(kBodyBytes - 1, 'x')), kBodyBytes - 1);
  EXPECT_TRUE(receive_until(client.get(), "").starts_with("HTTP/1.1 413 "));
}

TEST_P(ForwardingTest, ARefusalAfterAnInterimAnswerIsPassedOnWhenTheInstanceReadsNoMore) {
  if (GetParam() == Speaks::kFrames) return;
  const base::UniqueFd client = connect();
  send_all(client.get(), kHead + "Content-Length: " + std::to_string(kBodyBytes) + "\r\n\r\nx");
  const base::UniqueFd instance = accept();
  EXPECT_TRUE(receive_until(instance.get(), kForwarded).contains(kForwarded));
  const std::string body(kBodyBytes - 1, 'x');
  auto rest = std::async(std::launch::async, [&] { return send_all(client.get(), body); });
  send_all(instance.get(), "HTTP/1.1 100 Continue\r\n\r\n");
  wait_until_read(instance.get());
  send_all(instance.get(), refusal());
  EXPECT_EQ(rest.get(), body.size());
  EXPECT_TRUE(receive_until(client.get(), "").starts_with("HTTP/1.1 413 "));
}

TEST_P(ForwardingTest, AnInstanceThatAnswersWellWhileItReadsGetsTheWholeBody) {
  if (GetParam() == Speaks::kFrames) return;  // wrappers read it all before
  const base::UniqueFd client = connect();
  const std::string body(kBodyBytes, 'x');
  send_all(client.get(), kHead + "Content-Length: " + std::to_string(kBodyBytes + 1) + "\r\n\r\n");
  auto rest = std::async(std::launch::async, [&] { return send_all(client.get(), body + "."); });
  const base::UniqueFd instance = accept();
  EXPECT_TRUE(receive_until(instance.get(), kForwarded).contains(kForwarded));
  send_all(instance.get(),
           "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "
           "2\r\n\r\n");
  EXPECT_TRUE(receive_until(instance.get(), ".").ends_with("x."));
  send_all(instance.get(), "ok");
  EXPECT_EQ(rest.get(), body.size() + 1);
  EXPECT_TRUE(receive_until(client.get(), "ok").starts_with("HTTP/1.1 200 "));
}

TEST_P(ForwardingTest, ConnectGetsNoTunnelAndReachesNoInstance) {
  const base::UniqueFd client = connect();
  send_all(client.get(), "CONNECT fn.n:80 HTTP/1.1\r\nHost: fn.n:80\r\n\r\nGET / HTTP/1.1\r\n");
  const std::string answer = receive_until(client.get(), "");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 501 ")) << answer;
  EXPECT_EQ(answer.find("HTTP/1.1", 1), answer.npos) << answer;
  EXPECT_EQ(revision_->arrivals.load(), 0U);
}

std::string answer_to(int client, const std::string& path, const std::string& host) {
  send_all(client, "POST " + path + " HTTP/1.1\r\nHost: " + host +
                       "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  return receive_until(client, "");
}

TEST_P(ForwardingTest, AForeignHostReachesNoFunctionByItsPath) {
  for (const char* host : {"evil.com", "fn.n.evil.com:8080", "fn.n.svc.cluster.local"}) {
    const std::string answer = answer_to(connect().get(), "/function/n/fn/", host);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 421 ")) << answer;
  }
  EXPECT_EQ(revision_->arrivals.load(), 0U);
}

TEST_P(ForwardingTest, AMisspeltShortNameIsToldWhatIsNearAndNothingElse) {
  for (const char* path : {"/", "/function/n/fn/", "/status"}) {
    const std::string answer = answer_to(connect().get(), path, "fnn.n:8080");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 404 ")) << answer;
    EXPECT_NE(answer.find("did you mean http://fn.n.localhost:8080/ ?"), answer.npos) << answer;
  }
  EXPECT_TRUE(answer_to(connect().get(), "/", "fnn.m").starts_with("HTTP/1.1 421 "));
  EXPECT_TRUE(answer_to(connect().get(), "/", "something.n").starts_with("HTTP/1.1 421 "));
  EXPECT_EQ(revision_->arrivals.load(), 0U);
}

TEST_P(ForwardingTest, ATrustedHostWithoutAFunctionIsNotFound) {
  const std::string answer = answer_to(connect().get(), "/", "other.n.localhost");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 404 ")) << answer;
}

INSTANTIATE_TEST_SUITE_P(Both, ForwardingTest, testing::Values(Speaks::kFrames, Speaks::kHttp),
                         [](const auto& info) {
                           return info.param == Speaks::kFrames ? "Frames" : "Http";
                         });

}  // namespace
}  // namespace hearth::gateway
