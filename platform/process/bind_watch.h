// Moves the port that a foreign program listens at. Instances share the machine's network, so two
// programs that insist on port 8080 would collide. The program's bind(2) calls are handed to us by
// the kernel (seccomp user notification): the one for the wanted port is done at a free port of the
// loopback address instead, all others go on as they are. Works for static programs as well.
//
// The filter is installed by spawn() when SpawnRequest::watch_binds is set; the object belongs to
// whoever watches its descriptor, on one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "platform/base/result.h"
#include "platform/base/unique_fd.h"

namespace hearth::process {

struct MovedPort {
  std::string host;  // "127.0.0.1" or "::1"
  std::uint16_t port = 0;
};

class BindWatch {
 public:
  // `listener`: what Child::binds holds.
  BindWatch(base::UniqueFd listener, std::uint16_t wanted_port)
      : listener_(std::move(listener)), wanted_port_(wanted_port) {}

  // Readable when a program waits in bind().
  int fd() const { return listener_.get(); }
  // Answers one waiting call; call when readable. The port when it was the wanted one, nothing for
  // any other call. An error: the program is gone, or the kernel withholds what is needed; the call
  // then went on as the program made it.
  Result<std::optional<MovedPort>> answer_one();

 private:
  base::UniqueFd listener_;
  std::uint16_t wanted_port_;
};

// In the child, after no_new_privs is set: the listener's descriptor (close-on-exec), or -1.
int install_bind_filter();

}  // namespace hearth::process
