#include "platform/lambda/git_tree.h"

#include <optional>
#include <utility>

#include <fmt/format.h>
#include <git2.h>

#include "platform/base/c_handle.h"
#include "platform/base/limits.h"
#include "platform/lambda/git_library.h"
#include "platform/oci/path_bounds.h"

namespace hearth::lambda {
namespace {

using Repository = base::CHandle<git_repository, git_repository_free>;
using Object = base::CHandle<git_object, git_object_free>;
using Reference = base::CHandle<git_reference, git_reference_free>;
using Tree = base::CHandle<git_tree, git_tree_free>;
using Blob = base::CHandle<git_blob, git_blob_free>;
using Objects = base::CHandle<git_odb, git_odb_free>;

// Null when it leads to no commit.
Object commit_of(git_object* object) {
  git_object* commit = nullptr;
  (void)git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
  return Object(commit);
}

Object commit_of_reference(git_repository* repository, const std::string& name) {
  git_reference* found = nullptr;
  if (git_reference_lookup(&found, repository, name.c_str()) != 0) return Object();
  const Reference reference(found);
  git_object* commit = nullptr;
  (void)git_reference_peel(&commit, found, GIT_OBJECT_COMMIT);
  return Object(commit);
}

// All of its hash, or at least seven digits that only one object has.
Object commit_of_hash(git_repository* repository, const std::string& hash) {
  git_oid id;
  if (hash.size() < 7 || hash.size() > GIT_OID_HEXSZ ||
      git_oid_fromstrn(&id, hash.data(), hash.size()) != 0) {
    return Object();
  }
  git_object* found = nullptr;
  if (git_object_lookup_prefix(&found, repository, &id, hash.size(), GIT_OBJECT_ANY) != 0) {
    return Object();
  }
  const Object object(found);
  return commit_of(found);
}

// Branch, tag or commit; nothing else, and never another than the one asked for (B-31): no
// expressions as `git rev-parse` knows them.
Result<Object> resolve(git_repository* repository, const GitLocation& location) {
  for (const char* kind : {"refs/heads/", "refs/remotes/origin/", "refs/tags/"}) {
    if (Object commit = commit_of_reference(repository, kind + location.ref)) return commit;
  }
  if (Object commit = commit_of_hash(repository, location.ref)) return commit;
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

// What an object unpacks to, said before it is: a few bytes of a pack may stand for gigabytes.
// Nothing when the repository has none of it.
std::optional<std::size_t> size_of(git_repository* repository, const git_oid* id) {
  git_odb* found = nullptr;
  if (git_repository_odb(&found, repository) != 0) return std::nullopt;
  const Objects objects(found);
  std::size_t size = 0;
  git_object_t type = GIT_OBJECT_INVALID;
  if (git_odb_read_header(&size, &type, objects.get(), id) != 0) return std::nullopt;
  return size;
}

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
  if (mode == GIT_FILEMODE_LINK || mode == GIT_FILEMODE_COMMIT) {
    // Neither links nor submodules take part: what a build needs must be in the tree.
    return 0;
  }
  const auto size = size_of(walk.repository, git_tree_entry_id(entry));
  if (!size) return -1;
  walk.bytes += *size;
  if (walk.bytes > limits::kContextBytesMax) {
    walk.problem = kTooMuch;
    return -1;
  }
  if (mode == GIT_FILEMODE_TREE) return 0;
  git_object* object = nullptr;
  if (git_tree_entry_to_object(&object, walk.repository, entry) != 0) return -1;
  const Blob blob(reinterpret_cast<git_blob*>(object));
  walk.files[path] = std::string(static_cast<const char*>(git_blob_rawcontent(blob.get())), *size);
  return 0;
}

Result<SourceTree> read_tree(git_repository* repository, git_object* commit,
                             const GitLocation& location) {
  // The commit stands above: its tree may be as large as any.
  const auto root_size =
      size_of(repository, git_commit_tree_id(reinterpret_cast<git_commit*>(commit)));
  if (root_size && *root_size > limits::kContextBytesMax) return fail(Code::kTooLarge, kTooMuch);
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
    const auto size = size_of(repository, git_tree_entry_id(entry));
    if (size && *size > limits::kContextBytesMax) {
      git_tree_entry_free(entry);
      return fail(Code::kTooLarge, kTooMuch);
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

Result<SourceTree> read_git_tree(const std::filesystem::path& folder, const GitLocation& location) {
  open_git_library();
  git_repository* opened = nullptr;
  if (const int code = git_repository_open_bare(&opened, folder.c_str()); code != 0) {
    return fail(git_error(location, code));
  }
  const Repository repository(opened);
  HEARTH_TRY(commit, resolve(repository.get(), location));
  return read_tree(repository.get(), commit.get(), location);
}

}  // namespace hearth::lambda
