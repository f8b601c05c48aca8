// Who listens at a TCP port, as far as /proc tells this user.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace hearth::cli {

struct PortHolder {
  int pid = 0;          // 0: a process that this user may not look into
  std::string program;  // "nginx"

  // "process 123 (nginx)", "a process of another user"
  std::string text() const;
};

// Whoever listens at the port, or who is in the way of 127.0.0.1: others have addresses of their
// own.
enum class PortScope { kAnyAddress, kLoopback };

// Nothing when nobody listens there.
std::optional<PortHolder> port_holder(std::uint16_t port, PortScope scope = PortScope::kAnyAddress);

}  // namespace hearth::cli
