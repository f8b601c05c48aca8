#include "platform/process/bind_watch.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "platform/process/spawn.h"
#include "platform/process/testing/kernel.h"

namespace hearth::process {
namespace {

// Listens at the fixed port twice (by IPv4, then by IPv6 for both families), once at another one,
// and says at which ports it is told to be.
constexpr const char* kProgram = R"(
import socket
a = socket.socket(); a.bind(('0.0.0.0', 8080)); a.listen()
b = socket.socket(socket.AF_INET6)
b.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
b.bind(('::', 8080)); b.listen()
c = socket.socket(); c.bind(('127.0.0.1', 0)); c.listen()
print('bound', flush=True)
a.accept()[0].send(b'four')
b.accept()[0].send(b'six')
)";

std::string read_from(const MovedPort& moved) {
  const base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(moved.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  char text[16];
  const ssize_t got = ::recv(fd.get(), text, sizeof text, MSG_WAITALL);
  return {text, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

bool readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, 30'000) == 1;
}

TEST(BindWatch, MovesTheWantedPortAndLeavesOthersAlone) {
  if (!kernel::gives_notifications()) GTEST_SKIP() << "the kernel withholds user notifications";
  int output[2];
  ASSERT_EQ(::pipe(output), 0);
  const base::UniqueFd read_end(output[0]);
  base::UniqueFd write_end(output[1]);
  SpawnRequest request;
  request.argv = {"/usr/bin/python3", "-I", "-c", kProgram};
  request.env = {"PATH=/usr/bin:/bin"};
  request.fds = {{write_end.get(), 1}};
  request.watch_binds = true;
  auto child = spawn(request);
  write_end.reset();
  ASSERT_TRUE(child) << child.error().message;
  ASSERT_TRUE(child->binds) << "the kernel gives notifications, and they were not handed over";
  BindWatch watch(std::move(child->binds), 8080);
  std::vector<MovedPort> moved;
  for (int call = 0; call < 3; ++call) {
    ASSERT_TRUE(readable(watch.fd()));
    const auto answered = watch.answer_one();
    ASSERT_TRUE(answered) << answered.error().message;
    if (*answered) moved.push_back(**answered);
  }
  ASSERT_EQ(moved.size(), 2U);
  EXPECT_NE(moved[0].port, moved[1].port);
  ASSERT_TRUE(readable(read_end.get()));
  EXPECT_EQ(read_from(moved[0]), "four");
  EXPECT_EQ(read_from(moved[1]), "six");
  EXPECT_EQ(reap(*child), 0);
}

}  // namespace
}  // namespace hearth::process
