#include "emulator/runtime/instance_command.h"

#include <string_view>

#include <unistd.h>

#include "platform/base/text.h"

namespace hearth::runtime {

std::map<std::string, std::string> instance_environment(const InstanceSpec& spec,
                                                        const ImageRootfs& image) {
  std::map<std::string, std::string> out;
  for (const std::string& item : image.config.env) {
    const auto at = item.find('=');
    if (at != std::string::npos) out[item.substr(0, at)] = item.substr(at + 1);
  }
  for (const auto& [name, value] : spec.env) out[name] = value;
  out.try_emplace("PATH", image.host_backed
                              ? "/usr/local/bin:/usr/bin:/bin:/usr/local/go/bin"
                              : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  out.try_emplace("HOME", "/tmp");
  if (image.host_backed) out.try_emplace("LANG", "C.UTF-8");
  return out;
}

std::map<std::string, std::string> frame_environment(const InstanceSpec& spec,
                                                     const ImageRootfs& image) {
  auto out = instance_environment(spec, image);
  out["HEARTH_SOCKET_FD"] = "3";
  out["HEARTH_CONTROL_FD"] = "4";
  return out;
}

std::vector<std::string> instance_command(const InstanceSpec& spec, const ImageRootfs& image) {
  std::vector<std::string> out = spec.command.empty() ? image.config.entrypoint : spec.command;
  const auto& args = !spec.args.empty() || !spec.command.empty() ? spec.args : image.config.cmd;
  out.insert(out.end(), args.begin(), args.end());
  return out;
}

std::string find_program(const std::string& name, const std::string& path) {
  if (name.starts_with('/')) return name;
  if (name.starts_with("./")) return "/app/" + name.substr(2);
  for (const std::string_view folder : base::split(path, ':')) {
    const std::string candidate = std::string(folder) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "/usr/bin/" + name;
}

}  // namespace hearth::runtime
