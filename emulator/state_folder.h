// The state folder: one daemon at a time, one database, and the secrets made at its first use.
#pragma once

#include <filesystem>
#include <string>

#include "platform/base/result.h"
#include "platform/base/unique_fd.h"
#include "platform/sqlite/database.h"

namespace hearth::emulator {

class StateFolder {
 public:
  // Creates the folder (0700). kConflict names the process that uses it.
  static Result<StateFolder> open(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path database() const { return path_ / "hearth.db"; }
  // For writing, with every room's tables at their newest version. kUnsupported: made by a newer
  // program.
  Result<sqlite::Database> open_database() const;
  Result<sqlite::Database> open_reader() const;
  // The administrator's token, made once.
  Result<std::string> token() const;
  // A short private folder for sockets, outside the state folder: socket paths are limited to 107
  // bytes.
  const std::filesystem::path& run_dir() const { return run_dir_; }

 private:
  std::filesystem::path path_;
  std::filesystem::path run_dir_;
  base::UniqueFd lock_;
};

}  // namespace hearth::emulator
