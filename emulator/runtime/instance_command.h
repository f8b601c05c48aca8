// What an instance executes: the image's configuration under what the instance's own spec says.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "emulator/runtime/runtime.h"

namespace hearth::runtime {

std::map<std::string, std::string> instance_environment(const InstanceSpec& spec,
                                                        const ImageRootfs& image);
// The same with the descriptors at which a wrapper that speaks frames finds its sockets.
std::map<std::string, std::string> frame_environment(const InstanceSpec& spec,
                                                     const ImageRootfs& image);
// As Kubernetes: `command` replaces the entrypoint and its arguments, `args` the arguments alone.
std::vector<std::string> instance_command(const InstanceSpec& spec, const ImageRootfs& image);
// The path of a program of this machine, called by name; as the instance will see it.
std::string find_program(const std::string& name, const std::string& path);

}  // namespace hearth::runtime
