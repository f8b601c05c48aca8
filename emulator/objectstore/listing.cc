#include "emulator/objectstore/listing.h"

#include <algorithm>

#include "platform/base/bytes.h"

namespace hearth::objectstore {
namespace {

constexpr std::string_view kSeek =
    "SELECT key,size,etag,modified_ms,checksum FROM s3_objects WHERE bucket=? AND key>=? "
    "ORDER BY key";

// The least key a page may show; nullopt: none.
std::optional<std::string> first_key(const ListQuery& query) {
  std::string from = query.prefix;
  if (query.after.name.empty()) return from;
  std::optional<std::string> next;
  if (query.after.is_prefix) {
    next = after_prefix(query.after.name);
  } else {
    next = query.after.name;
    next->push_back('\0');  // the text that follows directly
  }
  if (!next) return std::nullopt;
  return std::max(from, *next);
}

// Reads from `from` on until the page is full, the prefix ends or a common prefix is met, which is
// to be sought past. Returns where to go on; nullopt: finished.
Result<std::optional<std::string>> read_run(sqlite::Database& database, const ListQuery& query,
                                            const std::string& from, Listing& out) {
  auto row = database.prepare(kSeek);
  row.bind(query.bucket).bind(from);
  while (true) {
    HEARTH_TRY(more, row.step());
    if (!more) return std::nullopt;
    const std::string_view key = row.text(0);
    if (!key.starts_with(query.prefix)) return std::nullopt;
    if (out.entries.size() >= query.entries_max) {
      out.truncated = true;
      return std::nullopt;
    }
    if (const auto rolled_up = common_prefix(key, query.prefix, query.delimiter)) {
      out.entries.push_back({.name = std::string(*rolled_up), .is_prefix = true});
      return after_prefix(std::string(*rolled_up));
    }
    out.entries.push_back({.name = std::string(key),
                           .size = static_cast<std::uint64_t>(row.integer(1)),
                           .etag = std::string(row.text(2)),
                           .modified_ms = row.integer(3),
                           .checksum = std::string(row.text(4))});
  }
}

}  // namespace

ListMarker Listing::last() const {
  if (entries.empty()) return {};
  return {entries.back().name, entries.back().is_prefix};
}

Result<Listing> list_keys(sqlite::Database& database, const ListQuery& query) {
  Listing out;
  if (query.entries_max == 0) return out;
  std::optional<std::string> from = first_key(query);
  while (from) {
    HEARTH_TRY(next, read_run(database, query, *from, out));
    from = std::move(next);
  }
  return out;
}

std::optional<std::string_view> common_prefix(std::string_view key, std::string_view prefix,
                                              std::string_view delimiter) {
  if (delimiter.empty()) return std::nullopt;
  const auto at = key.find(delimiter, prefix.size());
  if (at == key.npos) return std::nullopt;
  return key.substr(0, at + delimiter.size());
}

std::optional<std::string> after_prefix(std::string prefix) {
  while (!prefix.empty()) {
    const auto last = static_cast<unsigned char>(prefix.back());
    if (last < 0xFF) {
      prefix.back() = static_cast<char>(last + 1);
      return prefix;
    }
    prefix.pop_back();
  }
  return std::nullopt;
}

std::string encode_token(const ListMarker& marker) {
  return base::base64((marker.is_prefix ? "p" : "k") + marker.name);
}

std::optional<ListMarker> decode_token(std::string_view token) {
  const auto raw = base::from_base64(token);
  if (!raw || raw->size() < 2 || (raw->front() != 'p' && raw->front() != 'k')) return std::nullopt;
  return ListMarker{raw->substr(1), raw->front() == 'p'};
}

}  // namespace hearth::objectstore
