#include "platform/process/bind_watch.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "platform/base/file.h"
#include "platform/base/text.h"

namespace hearth::process {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t kArchitecture = 0;  // no filter: see install_bind_filter()
#endif

union Address {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

std::optional<Address> read_address(const seccomp_notif& call) {
  Address out{};
  const std::size_t length = std::min<std::size_t>(call.data.args[2], sizeof out);
  if (length < sizeof(sockaddr_in)) return std::nullopt;
  const iovec local{&out, length};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address in the other process, a number to us.
  const iovec remote{reinterpret_cast<void*>(call.data.args[1]), length};
  if (::process_vm_readv(static_cast<pid_t>(call.pid), &local, 1, &remote, 1, 0) !=
      static_cast<ssize_t>(length)) {
    return std::nullopt;
  }
  return out;
}

std::uint16_t port_of(const Address& address) {
  if (address.any.sa_family == AF_INET) return ntohs(address.v4.sin_port);
  return address.any.sa_family == AF_INET6 ? ntohs(address.v6.sin6_port) : 0;
}

// A pidfd needs the process; the call may come from any of its threads.
pid_t process_of_thread(std::uint32_t thread) {
  const auto text = base::read_file(fmt::format("/proc/{}/status", thread), 64 * 1024);
  if (!text) return -1;
  const auto at = text->find("\nTgid:");
  if (at == std::string::npos) return -1;
  const std::string_view rest = std::string_view(*text).substr(at + 6);
  return base::parse_int<pid_t>(base::trim(rest.substr(0, rest.find('\n')))).value_or(-1);
}

base::UniqueFd take_socket(const seccomp_notif& call) {
  const pid_t process = process_of_thread(call.pid);
  if (process < 0) return {};
  const base::UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  if (!pidfd) return {};
  return base::UniqueFd(static_cast<int>(
      ::syscall(SYS_pidfd_getfd, pidfd.get(), static_cast<int>(call.data.args[0]), 0)));
}

// Binds the program's own socket to the loopback address of its family.
Result<MovedPort> bind_elsewhere(int socket, int family) {
  Address address{};
  socklen_t length = sizeof address.v4;
  MovedPort out{.host = "127.0.0.1"};
  if (family == AF_INET) {
    address.v4.sin_family = AF_INET;
    address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else {
    int only_v6 = 0;
    socklen_t size = sizeof only_v6;
    ::getsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, &size);
    address.v6.sin6_family = AF_INET6;
    ::inet_pton(AF_INET6, only_v6 != 0 ? "::1" : "::ffff:127.0.0.1", &address.v6.sin6_addr);
    length = sizeof address.v6;
    if (only_v6 != 0) out.host = "::1";
  }
  if (::bind(socket, &address.any, length) != 0) return fail(system_error(errno, "bind"));
  length = sizeof address;
  if (::getsockname(socket, &address.any, &length) != 0) {
    return fail(system_error(errno, "getsockname"));
  }
  out.port = port_of(address);
  return out;
}

}  // namespace

Result<std::optional<MovedPort>> BindWatch::answer_one() {
  seccomp_notif call{};
  if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
    return fail(system_error(errno, "receiving a bind()"));
  }
  seccomp_notif_resp answer{};
  answer.id = call.id;
  answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  std::optional<MovedPort> moved;
  Status problem;
  const auto address = read_address(call);
  if (address && port_of(*address) == wanted_port_) {
    const base::UniqueFd socket = take_socket(call);
    // The id still being valid means that memory and descriptor were that process's.
    const bool valid = ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &call.id) == 0;
    auto bound = socket && valid ? bind_elsewhere(socket.get(), address->any.sa_family)
                                 : Result<MovedPort>(fail(system_error(errno, "its socket")));
    if (bound) {
      answer.flags = 0;
      moved = std::move(*bound);
    } else {
      problem = fail(bound.error());
    }
  }
  if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, &answer) != 0 && errno != ENOENT) {
    return fail(system_error(errno, "answering a bind()"));
  }
  if (!problem) return fail(problem.error());
  return moved;
}

int install_bind_filter() {
  if (kArchitecture == 0) return -1;
  std::array<sock_filter, 6> code{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bind, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  return static_cast<int>(
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

}  // namespace hearth::process
