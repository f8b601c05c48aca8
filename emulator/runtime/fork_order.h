// What the fork server is told of an instance (zygote.py), and which instances it can become.
#pragma once

#include <filesystem>

#include "emulator/runtime/image_rootfs.h"
#include "emulator/runtime/runtime.h"
#include "platform/base/json.h"

namespace hearth::runtime {

// Python's wrapper on the machine's own interpreter: a fork is it already.
bool is_python_wrapper(const InstanceSpec& spec, const ImageRootfs& image);
// Any other wrapper on the machine's own files, with an environment that an order can carry: a fork
// can execute it. Making its jail takes most of a start otherwise.
bool is_program(const InstanceSpec& spec, const ImageRootfs& image);

// The order that only the instance's process reads, for a fork server in a jail.
Json fork_order(const InstanceSpec& spec, const ImageRootfs& image);
// For one without. `temporary`: the only folder that it may write to. Python only.
Json unjailed_fork_order(const InstanceSpec& spec, const ImageRootfs& image,
                         const std::filesystem::path& temporary);

}  // namespace hearth::runtime
