#include "platform/lambda/git_source.h"

#include <memory>

#include <fmt/format.h>
#include <git2.h>

#include "platform/base/c_handle.h"
#include "platform/base/limits.h"
#include "platform/base/random_id.h"
#include "platform/oci/path_bounds.h"

namespace hearth::lambda {
namespace {

using Repository = base::CHandle<git_repository, git_repository_free>;
using Object = base::CHandle<git_object, git_object_free>;
using Tree = base::CHandle<git_tree, git_tree_free>;
using Blob = base::CHandle<git_blob, git_blob_free>;

class ScratchFolder {
 public:
  explicit ScratchFolder(const std::filesystem::path& root)
      : path_(root / ("git-" + base::random_hex(6))) {}
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

Error git_error(const GitLocation& location, int code) {
  const auto* error = ::git_error_last();
  const std::string text =
      error != nullptr && error->message != nullptr ? error->message : "failed";
  Code mapped = Code::kUnavailable;
  if (code == GIT_ENOTFOUND) mapped = Code::kNotFound;
  if (code == GIT_EAUTH) mapped = Code::kUnauthorized;
  return {mapped, fmt::format("git repository {}: {}", location.url, text), {}};
}

struct CallbackState {
  const GitLocation* location;
  int attempts = 0;
  std::size_t bytes = 0;
};

std::string secret_value(const GitLocation& location, const char* name) {
  const auto it = location.secret.find(name);
  return it == location.secret.end() ? std::string() : it->second;
}

// The keys of the credentials' Secret, in this order.
int acquire_credentials(git_credential** out, const char*, const char* user, unsigned allowed,
                        void* payload) {
  auto& state = *static_cast<CallbackState*>(payload);
  // libgit2 asks again when a credential is refused.
  if (++state.attempts > 1) return GIT_EAUTH;
  const GitLocation& location = *state.location;
  const std::string key = secret_value(location, "ssh-privatekey");
  if (!key.empty() && (allowed & GIT_CREDENTIAL_SSH_MEMORY) != 0) {
    return git_credential_ssh_key_memory_new(out, user != nullptr ? user : "git", nullptr,
                                             key.c_str(), nullptr);
  }
  const std::string password = secret_value(location, "password");
  if (!password.empty()) {
    return git_credential_userpass_plaintext_new(out, secret_value(location, "username").c_str(),
                                                 password.c_str());
  }
  struct TokenKey {
    const char* name;
    const char* user;
  };
  for (const TokenKey& known :
       {TokenKey{"token", "git"}, TokenKey{"github-token", "x-access-token"},
        TokenKey{"gitlab-token", "oauth2"}}) {
    const std::string token = secret_value(location, known.name);
    if (!token.empty()) {
      return git_credential_userpass_plaintext_new(out, known.user, token.c_str());
    }
  }
  return GIT_EAUTH;
}

int limit_transfer(const git_indexer_progress* progress, void*) {
  return progress->received_bytes > limits::kContextBytesMax ? -1 : 0;
}

Result<Repository> clone(const GitLocation& location, const std::filesystem::path& folder) {
  git_clone_options options = GIT_CLONE_OPTIONS_INIT;
  options.bare = 1;
  CallbackState state{&location};
  options.fetch_opts.callbacks.credentials = acquire_credentials;
  options.fetch_opts.callbacks.transfer_progress = limit_transfer;
  options.fetch_opts.callbacks.payload = &state;
  // A redirect to another host would leave what the URL policy looked at.
  options.fetch_opts.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
  git_repository* repository = nullptr;
  const int code = git_clone(&repository, location.url.c_str(), folder.c_str(), &options);
  if (code != 0) return fail(git_error(location, code));
  return Repository(repository);
}

// Branch, tag or commit; nothing else, and never another than the one asked for (B-31).
Result<Object> resolve(git_repository* repository, const GitLocation& location) {
  for (const std::string& name :
       {"refs/heads/" + location.ref, "refs/remotes/origin/" + location.ref,
        "refs/tags/" + location.ref, location.ref}) {
    git_object* object = nullptr;
    const bool is_hash = name == location.ref;
    if (is_hash && (name.size() < 7 || name.find_first_not_of("0123456789abcdef") != name.npos)) {
      continue;
    }
    if (git_revparse_single(&object, repository, name.c_str()) != 0) continue;
    const Object found(object);
    git_object* commit = nullptr;
    if (git_object_peel(&commit, found.get(), GIT_OBJECT_COMMIT) == 0) return Object(commit);
  }
  return fail(Code::kNotFound, fmt::format("git repository {} has no branch, tag or commit \"{}\"",
                                           location.url, location.ref));
}

constexpr const char* kTooMuch = "the repository is over the limits of a build context";

struct Walk {
  git_repository* repository;
  SourceTree files;
  std::size_t entries = 0;  // a tree may name another again and again: few objects, endless paths
  std::size_t bytes = 0;
  std::string problem;
};

int visit(const char* root, const git_tree_entry* entry, void* payload) {
  auto& walk = *static_cast<Walk*>(payload);
  const std::string path = std::string(root) + git_tree_entry_name(entry);
  const git_filemode_t mode = git_tree_entry_filemode(entry);
  if (const Status bounded = oci::check_path(path); !bounded) {
    walk.problem = bounded.error().message;
    return -1;
  }
  if (++walk.entries > limits::kContextFilesMax) {
    walk.problem = kTooMuch;
    return -1;
  }
  if (mode == GIT_FILEMODE_TREE) return 0;
  if (mode == GIT_FILEMODE_LINK || mode == GIT_FILEMODE_COMMIT) {
    // Neither links nor submodules take part: what a build needs must be in the tree.
    return 0;
  }
  git_object* object = nullptr;
  if (git_tree_entry_to_object(&object, walk.repository, entry) != 0) return -1;
  const Blob blob(reinterpret_cast<git_blob*>(object));
  const auto size = static_cast<std::size_t>(git_blob_rawsize(blob.get()));
  walk.bytes += size;
  if (walk.bytes > limits::kContextBytesMax) {
    walk.problem = kTooMuch;
    return -1;
  }
  walk.files[path] = std::string(static_cast<const char*>(git_blob_rawcontent(blob.get())), size);
  return 0;
}

Result<SourceTree> read_tree(git_repository* repository, git_object* commit,
                             const GitLocation& location) {
  git_object* root_object = nullptr;
  if (git_object_peel(&root_object, commit, GIT_OBJECT_TREE) != 0) {
    return fail(git_error(location, GIT_ERROR));
  }
  Tree tree(reinterpret_cast<git_tree*>(root_object));
  if (!location.path.empty() && location.path != ".") {
    git_tree_entry* entry = nullptr;
    if (git_tree_entry_bypath(&entry, tree.get(), location.path.c_str()) != 0) {
      return fail(Code::kNotFound, fmt::format("git repository {} has no path \"{}\" at \"{}\"",
                                               location.url, location.path, location.ref));
    }
    git_object* object = nullptr;
    const int code = git_tree_entry_to_object(&object, repository, entry);
    const bool is_file = git_tree_entry_type(entry) == GIT_OBJECT_BLOB;
    git_tree_entry_free(entry);
    if (code != 0) return fail(git_error(location, code));
    if (is_file) {
      const Blob blob(reinterpret_cast<git_blob*>(object));
      const std::string name = location.path.substr(location.path.rfind('/') + 1);
      return SourceTree{
          {name, std::string(static_cast<const char*>(git_blob_rawcontent(blob.get())),
                             static_cast<std::size_t>(git_blob_rawsize(blob.get())))}};
    }
    tree.reset(reinterpret_cast<git_tree*>(object));
  }
  Walk walk{.repository = repository, .files = {}, .problem = {}};
  if (git_tree_walk(tree.get(), GIT_TREEWALK_PRE, visit, &walk) != 0) {
    return fail(Code::kTooLarge,
                walk.problem.empty() ? "reading the repository failed" : walk.problem);
  }
  return std::move(walk.files);
}

}  // namespace

Result<SourceTree> fetch_git(const GitLocation& location, const std::filesystem::path& scratch) {
  static const int kInitialised = git_libgit2_init();
  (void)kInitialised;
  const ScratchFolder folder(scratch);
  HEARTH_TRY(repository, clone(location, folder.path()));
  HEARTH_TRY(commit, resolve(repository.get(), location));
  return read_tree(repository.get(), commit.get(), location);
}

}  // namespace hearth::lambda
