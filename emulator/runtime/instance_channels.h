// What leads from the daemon to an instance and back, made before its process is.
#pragma once

#include <filesystem>
#include <string>

#include "platform/base/result.h"
#include "platform/base/unique_fd.h"

namespace hearth::runtime {

// An instance's standard output and error.
struct OutputPipe {
  base::UniqueFd read;
  base::UniqueFd write;  // the instance's
};
Result<OutputPipe> make_output_pipe();

// For wrappers that speak frames. The socket listens already: who connects before the process runs
// waits in its backlog.
struct FrameChannels {
  std::filesystem::path socket_path;
  base::UniqueFd listener;  // the instance's
  base::UniqueFd control;
  base::UniqueFd control_of_instance;
};
Result<FrameChannels> make_frame_channels(std::filesystem::path socket_path);

}  // namespace hearth::runtime
