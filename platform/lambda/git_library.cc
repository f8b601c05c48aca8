#include "platform/lambda/git_library.h"

#include <fmt/format.h>
#include <git2.h>

namespace hearth::lambda {

void open_git_library() {
  static const int kInitialised = git_libgit2_init();
  (void)kInitialised;
}

Error git_error(const GitLocation& location, int code) {
  const auto* error = ::git_error_last();
  const std::string text =
      error != nullptr && error->message != nullptr ? error->message : "failed";
  Code mapped = Code::kUnavailable;
  if (code == GIT_ENOTFOUND) mapped = Code::kNotFound;
  if (code == GIT_EAUTH) mapped = Code::kUnauthorized;
  return {mapped, fmt::format("git repository {}: {}", location.url, text), {}};
}

}  // namespace hearth::lambda
