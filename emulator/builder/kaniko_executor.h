// A build by Kaniko's own executor instead of the native builder: the same Job, the same arguments,
// the same program as in a cluster. It runs in a root of its own that holds the executor at /kaniko
// and the context at /workspace, and pushes to the embedded registry over the network.
//
// Blocking: for a pool thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "emulator/builder/builder.h"

namespace hearth::builder {

// kPreconditionFailed with the last lines when the executor fails; kDeadlineExceeded, kCancelled,
// kUnavailable as Builder::build(). `folder`: an empty folder for the root, removed by the caller.
Status run_kaniko(const BuildRequest& request, const std::filesystem::path& executor,
                  const std::filesystem::path& folder);

// The Job's arguments with the context at /workspace, where it has been unpacked.
std::vector<std::string> kaniko_arguments(const BuildRequest& request);

}  // namespace hearth::builder
