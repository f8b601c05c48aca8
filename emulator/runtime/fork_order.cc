#include "emulator/runtime/fork_order.h"

#include <algorithm>
#include <map>
#include <string>

#include "emulator/runtime/instance_command.h"
#include "platform/base/text.h"

namespace hearth::runtime {

bool is_python_wrapper(const InstanceSpec& spec, const ImageRootfs& image) {
  const auto argv = instance_command(spec, image);
  return image.host_backed && argv.size() == 2 && argv[0].starts_with("python3") &&
         argv[1] == "runtime.py";
}

namespace {

// What an order can carry and Python can pass on; execve() takes more.
bool fits_order(const std::map<std::string, std::string>& environment) {
  constexpr std::size_t kBytesMax = 256 * 1024;
  std::size_t bytes = 0;
  return std::ranges::all_of(environment, [&](const auto& variable) {
    const auto& [name, value] = variable;
    bytes += name.size() + value.size();
    return !name.empty() && bytes <= kBytesMax && base::is_valid_utf8(name) &&
           base::is_valid_utf8(value) && !name.contains('\0') && !value.contains('\0');
  });
}

}  // namespace

bool is_program(const InstanceSpec& spec, const ImageRootfs& image) {
  return image.host_backed && image.frames && image.config.working_dir == "/app" &&
         !instance_command(spec, image).empty() && !is_python_wrapper(spec, image) &&
         fits_order(instance_environment(spec, image));
}

Json fork_order(const InstanceSpec& spec, const ImageRootfs& image) {
  const auto environment = frame_environment(spec, image);
  Json out{{"env", environment},
           {"cwd", "/app"},
           {"app", "/images/" + image.path.filename().string() + "/app"},
           {"hostname", spec.id.substr(0, 63)},
           {"uid", kImageUser},
           {"rlimits", {{"nofile", 4096}, {"core", 0}}}};
  if (!is_python_wrapper(spec, image)) {
    auto argv = instance_command(spec, image);
    argv[0] = find_program(argv[0], environment.at("PATH"));
    out["argv"] = std::move(argv);
  }
  return out;
}

// Without a jail another user could not read the image, which only the daemon's user may.
Json unjailed_fork_order(const InstanceSpec& spec, const ImageRootfs& image,
                         const std::filesystem::path& temporary) {
  const std::string app = image.path / "app";
  auto environment = frame_environment(spec, image);
  environment["TMPDIR"] = temporary;
  return {{"env", std::move(environment)},
          {"cwd", app},
          {"app", app},
          {"hostname", spec.id.substr(0, 63)},
          {"rlimits", {{"nofile", 4096}, {"core", 0}}}};
}

}  // namespace hearth::runtime
