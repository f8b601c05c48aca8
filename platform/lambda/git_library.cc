#include "platform/lambda/git_library.h"

#include <fmt/format.h>
#include <git2.h>

#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>

// libgit2 1.5 keeps what it matched a configuration's names with, some 20 KB for each remote that
// it makes. It is used in a process of its own, which ends then.
const char* __lsan_default_suppressions() { return "leak:libpcre2-8.so\n"; }
#endif

namespace hearth::lambda {

void open_git_library() {
  static const int kInitialised = git_libgit2_init();
  (void)kInitialised;
}

namespace {

std::string reason_of(const GitLocation& location, int code) {
  // libgit2 leaves it to whoever gives the credentials to say what was wrong with them.
  if (code == GIT_EAUTH && location.secret.empty()) {
    return "it wants credentials; name their Secret in spec.source.git.secretRef";
  }
  if (code == GIT_EAUTH) {
    return "it refuses the credentials of the Secret, which may have ssh-privatekey, username and "
           "password, token, github-token or gitlab-token";
  }
  const auto* error = ::git_error_last();
  return error != nullptr && error->message != nullptr ? error->message : "failed";
}

}  // namespace

Error git_error(const GitLocation& location, int code) {
  Code mapped = Code::kUnavailable;
  if (code == GIT_ENOTFOUND) mapped = Code::kNotFound;
  if (code == GIT_EAUTH) mapped = Code::kUnauthorized;
  return {
      mapped, fmt::format("git repository {}: {}", location.url, reason_of(location, code)), {}};
}

}  // namespace hearth::lambda
