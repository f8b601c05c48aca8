// A Node.js process that runs already when its function is asked for.
//
// Node.js takes tens of milliseconds to start, and none of them depends on the function. So the
// fork server starts one ahead, confined as every instance, with the wrapper loaded and its socket
// listening; it waits for an environment and for the function's files at /app.
#pragma once

#include <filesystem>
#include <string>

#include "emulator/runtime/confinement.h"
#include "emulator/runtime/image_rootfs.h"
#include "emulator/runtime/runtime.h"
#include "emulator/runtime/zygote.h"
#include "platform/base/result.h"
#include "platform/base/unique_fd.h"

namespace hearth::runtime {

struct PreparedProcess {
  std::string id;  // the fork server's name for it
  std::filesystem::path socket_path;
  base::UniqueFd control;
  base::UniqueFd output;
};

// Whether one speaks for this instance: the Node.js wrapper on the machine's own node.
bool is_node_wrapper(const InstanceSpec& spec, const ImageRootfs& image);
// Whether a process that runs already can become this instance: node and its libraries read some
// variables only when they start.
bool can_be_prepared(const InstanceSpec& spec, const ImageRootfs& image);

// Asks the running fork server for one; sockets go to `run_dir`. It may still end by itself.
Result<PreparedProcess> prepare_process(Zygote& zygote, const Confinement& confinement,
                                        const std::filesystem::path& run_dir, std::string id);

}  // namespace hearth::runtime
