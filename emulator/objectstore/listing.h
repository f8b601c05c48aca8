// Listing a bucket's keys: prefix, delimiter and page size over the (bucket, key) index. Below a
// common prefix the index is sought past it, so a page costs what it shows, not what it skips.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.h"
#include "platform/sqlite/database.h"

namespace hearth::objectstore {

struct ListedEntry {
  std::string name;  // a key, or a common prefix
  bool is_prefix = false;
  std::uint64_t size = 0;
  std::string etag;
  std::int64_t modified_ms = 0;
  std::string checksum;
};

// Where a page begins: after a key, or after everything below a common prefix.
struct ListMarker {
  std::string name;
  bool is_prefix = false;

  bool operator==(const ListMarker&) const = default;
};

struct ListQuery {
  std::string bucket;
  std::string prefix;
  std::string delimiter;
  ListMarker after;
  std::size_t entries_max = 1000;
};

struct Listing {
  std::vector<ListedEntry> entries;  // in key order; keys and prefixes count alike
  bool truncated = false;
  // The last entry, from where the next page goes on.
  ListMarker last() const;
};

Result<Listing> list_keys(sqlite::Database& database, const ListQuery& query);

// The common prefix of `key` below `prefix`; nullopt when the delimiter does not follow.
std::optional<std::string_view> common_prefix(std::string_view key, std::string_view prefix,
                                              std::string_view delimiter);
// The first text after all that begin with `prefix`; nullopt when there is none.
std::optional<std::string> after_prefix(std::string prefix);

// Opaque continuation tokens.
std::string encode_token(const ListMarker& marker);
std::optional<ListMarker> decode_token(std::string_view token);

}  // namespace hearth::objectstore
