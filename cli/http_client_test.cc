#include "cli/http_client.h"

#include <thread>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include "platform/base/unique_fd.h"

namespace hearth::cli {
namespace {

// Reads a request's head, answers, and closes with the body unread: as a server does that takes no
// body of that size.
class HastyServer {
 public:
  explicit HastyServer(std::string answer)
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_.get(), plain, size), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener_.get(), plain, &size), 0);
    url_ = fmt::format("http://127.0.0.1:{}", ntohs(address.sin_port));
    thread_ = std::jthread([this, text = std::move(answer)] { serve_one(text); });
  }

  const std::string& url() const { return url_; }

 private:
  void serve_one(const std::string& answer) const {
    const base::UniqueFd peer(::accept(listener_.get(), nullptr, nullptr));
    char buffer[1024];
    (void)!::recv(peer.get(), buffer, sizeof buffer, 0);
    (void)!::send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
  }

  base::UniqueFd listener_;
  std::string url_;
  std::jthread thread_;
};

constexpr std::size_t kLargeBytes = 32UL * 1024 * 1024;  // more than any socket's buffers

// Every program of ours ignores it (StandardOutput).
class HttpClientTest : public testing::Test {
 public:
  HttpClientTest() { ::signal(SIGPIPE, SIG_IGN); }
};

TEST_F(HttpClientTest, ReadsTheAnswerOfAServerThatDidNotWantTheBody) {
  const HastyServer server(
      "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 8\r\n\r\ntoo much");
  const auto reply =
      HttpClient(server.url()).call({.method = "POST", .body = std::string(kLargeBytes, 'x')});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status, 413);
  EXPECT_EQ(reply->body, "too much");
}

TEST_F(HttpClientTest, AServerThatOnlyClosesHasNotAnswered) {
  const HastyServer server("");
  const auto reply =
      HttpClient(server.url()).call({.method = "POST", .body = std::string(kLargeBytes, 'x')});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kUnavailable);
}

TEST_F(HttpClientTest, AUrlThatIsNoneIsNamed) {
  const auto reply = HttpClient("not a url").call({});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kInvalid);
}

}  // namespace
}  // namespace hearth::cli
