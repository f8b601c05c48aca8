// Clones a git repository, and does so on order: the daemon has this done by a process of its own
// (clone_process.h), because libgit2 1.5 waits for a silent server for ever.
//
// Order and answer are JSON between two processes of one binary; nothing keeps them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "platform/lambda/source.h"

namespace hearth::lambda {

// Bare, to a folder that doesn't exist yet. Blocks for as long as the server likes.
// kUnauthorized: credentials missing or refused. kUnavailable and kNotFound say what libgit2 says.
Status clone_git(const GitLocation& location, const std::filesystem::path& folder);

// Holds the credentials: for a pipe or an unnamed file, never for arguments or an environment.
std::string clone_order(const GitLocation& location, const std::filesystem::path& folder);
// In the other process: clone_git, and the answer that tells of it.
std::string carry_out_clone(std::string_view order);
// Nothing when that is no answer.
std::optional<Status> parse_clone_answer(std::string_view answer);

}  // namespace hearth::lambda
