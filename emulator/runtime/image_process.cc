#include "emulator/runtime/image_process.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "emulator/runtime/instance_command.h"

namespace hearth::runtime {
namespace {

Result<std::uint16_t> free_port() {
  const base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (!fd || ::bind(fd.get(), any, length) != 0 || ::getsockname(fd.get(), any, &length) != 0) {
    return fail(system_error(errno, "looking for a free port"));
  }
  return ntohs(address.sin_port);
}

Result<process::SpawnRequest> make_request(const InstanceSpec& spec, const ImageRootfs& image,
                                           const ImageProcessFds& fds, int null) {
  const bool frames = fds.control >= 0;
  process::SpawnRequest out;
  const auto env = frames ? frame_environment(spec, image) : instance_environment(spec, image);
  for (const auto& [name, value] : env) out.env.push_back(fmt::format("{}={}", name, value));
  out.argv = instance_command(spec, image);
  if (out.argv.empty()) return fail(Code::kInvalid, "the image has no entrypoint and no command");
  HEARTH_TRY(program, find_in_image(image.path, out.argv[0], env.at("PATH")));
  out.argv[0] = std::move(program);
  out.working_dir = !spec.working_dir.empty() ? spec.working_dir : image.config.working_dir;
  if (out.working_dir.empty()) out.working_dir = "/";
  out.fds = {{null, 0}, {fds.output, 1}, {fds.output, 2}};
  if (frames) {
    out.fds.emplace_back(fds.listen, 3);
    out.fds.emplace_back(fds.control, 4);
  }
  out.limits.open_files = 65'536;
  out.watch_binds = !frames;
  return out;
}

void set_port(process::SpawnRequest& request, std::uint16_t port) {
  std::erase_if(request.env, [](const std::string& item) { return item.starts_with("PORT="); });
  request.env.push_back("PORT=" + std::to_string(port));
}

}  // namespace

Result<ImageProcess> start_image_process(
    const InstanceSpec& spec, const ImageRootfs& image, const ImageProcessFds& fds,
    ImageJailOptions options, const std::function<void(process::SpawnRequest&)>& confine) {
  const base::UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  HEARTH_TRY(request, make_request(spec, image, fds, null.get()));
  HEARTH_TRY(jail, image_jail(image.path, options));
  request.jail = std::move(jail);
  confine(request);
  auto child = process::spawn(request);
  if (!child && child.error().code != Code::kNotFound) {
    // A kernel without overlays for us: the image is read-only then.
    options.writable = false;
    HEARTH_TRY(plain, image_jail(image.path, options));
    request.jail = std::move(plain);
    child = process::spawn(request);
  }
  if (!child) return fail(child.error());
  if (!request.watch_binds || child->binds) return ImageProcess{std::move(*child), 0};
  process::send_signal(*child, SIGKILL);
  (void)process::reap(*child);
  HEARTH_TRY(port, free_port());
  set_port(request, port);
  request.watch_binds = false;
  HEARTH_TRY(again, process::spawn(request));
  return ImageProcess{std::move(again), port};
}

}  // namespace hearth::runtime
