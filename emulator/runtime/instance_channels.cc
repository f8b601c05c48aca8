#include "emulator/runtime/instance_channels.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "emulator/runtime/image_rootfs.h"

namespace hearth::runtime {
namespace {

Result<base::UniqueFd> listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Code::kInvalid, fmt::format("socket path {} is too long", path));
  }
  path.copy(address.sun_path, path.size());
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 1024) != 0) {
    return fail(system_error(errno, "listening at " + path));
  }
  return fd;
}

}  // namespace

Result<OutputPipe> make_output_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return fail(system_error(errno, "pipe"));
  OutputPipe out{base::UniqueFd(fds[0]), base::UniqueFd(fds[1])};
  // Programs open /dev/stdout by name, and the pipe must be theirs for that.
  if (::geteuid() == 0) (void)::fchown(out.write.get(), kImageUser, kImageUser);
  return out;
}

Result<FrameChannels> make_frame_channels(std::filesystem::path socket_path) {
  HEARTH_TRY(listener, listen_at(socket_path));
  int control[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0) {
    const int number = errno;
    ::unlink(socket_path.c_str());
    return fail(system_error(number, "socketpair"));
  }
  return FrameChannels{std::move(socket_path), std::move(listener), base::UniqueFd(control[0]),
                       base::UniqueFd(control[1])};
}

}  // namespace hearth::runtime
