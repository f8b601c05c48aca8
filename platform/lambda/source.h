// Where a function's code comes from, as a set of files. Fetching blocks nothing: object stores and
// repositories are reached through the functions of SourceAccess, which the assembly provides.
#pragma once

#include <compare>
#include <functional>
#include <map>
#include <string>

#include "platform/async/task.h"
#include "platform/base/result.h"
#include "platform/lambda/function.h"

namespace hearth::lambda {

struct Language;

// Relative paths, '/' separated, no "..", → bytes.
using SourceTree = std::map<std::string, std::string>;

struct Credentials {
  std::string access_key;
  std::string secret_key;
};

struct ObjectLocation {
  std::string endpoint;  // "http(s)://host:port" or host:port; empty: the platform's own store
  std::string region;
  std::string bucket;
  std::string key;  // a trailing slash: everything below
  Credentials credentials;
};

struct GitLocation {
  std::string url;
  std::string ref;
  std::string path;
  std::map<std::string, std::string> secret;  // decoded data of the credentials' Secret

  auto operator<=>(const GitLocation&) const = default;
};

// The bucket for build contexts that are too large for a ConfigMap.
struct ContextStorage {
  // Makes the bucket when it isn't there.
  std::function<Task<Status>(std::string bucket, std::string key, std::string bytes)> put;
  // Everything below the prefix; success also when there is nothing.
  std::function<Task<Status>(std::string bucket, std::string prefix)> remove;
};

struct SourceAccess {
  // One object, an archive's content, or all objects of a prefix.
  std::function<Task<Result<SourceTree>>(ObjectLocation)> objects;
  // Another text when one of those objects is another; empty for stores that don't tell of their
  // writes. May be missing.
  std::function<Task<Result<std::string>>(ObjectLocation)> objects_version;
  std::function<Task<Result<SourceTree>>(GitLocation)> git;
};

// A source that is a single file of the language takes the name that `handler` asks for. kNotFound
// lists what there is and says what is missing when the handler's file isn't there.
Result<SourceTree> with_main_file(SourceTree tree, const Language& language,
                                  const std::string& handler);

}  // namespace hearth::lambda
