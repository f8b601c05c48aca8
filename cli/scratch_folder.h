// A folder for the temporary files of a process that may be killed at any moment. It goes with its
// object; what killed processes left goes when the next one makes its own.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "platform/base/result.h"
#include "platform/base/unique_fd.h"

namespace hearth::cli {

class ScratchFolder {
 public:
  // PARENT/PREFIX and a random name, 0700. Held by a lock, which ends with the process.
  static Result<ScratchFolder> make(const std::filesystem::path& parent, const std::string& prefix);
  ~ScratchFolder();
  ScratchFolder(ScratchFolder&& other) noexcept
      : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  explicit ScratchFolder(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
  base::UniqueFd lock_;
};

}  // namespace hearth::cli
