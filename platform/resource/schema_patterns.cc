#include "platform/resource/schema_patterns.h"

#include <cstdint>
#include <iterator>
#include <utility>

#include <re2/re2.h>

namespace hearth::resource {

PatternCache::Entry PatternCache::compile(const std::string& pattern) {
  for (const std::size_t bytes : {kMemoryBytes, kLargeMemoryBytes}) {
    re2::RE2::Options options(re2::RE2::Quiet);
    options.set_max_mem(static_cast<std::int64_t>(bytes));
    auto compiled = std::make_shared<const re2::RE2>(pattern, options);
    if (compiled->ok()) return {std::move(compiled), bytes};
    if (compiled->error_code() != re2::RE2::ErrorPatternTooLarge) break;
  }
  return {nullptr, kMemoryBytes};  // it takes no more than its place
}

PatternCache::Found PatternCache::find(const std::string& pattern) {
  if (pattern.size() > kPatternBytesMax) return {};
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = entries_.find(pattern); it != entries_.end()) return {it->second.compiled};
  }
  const Entry entry = compile(pattern);  // without the lock, which others want
  const std::lock_guard lock(mutex_);
  // Any one goes: a list of objects asks for its patterns in turn, and the oldest one of them is
  // the next that it needs.
  while (bytes_ + entry.bytes > kAllMemoryBytesMax) {
    const auto any = std::next(entries_.begin(), static_cast<int>(random_() % entries_.size()));
    bytes_ -= any->second.bytes;
    entries_.erase(any);
  }
  if (entries_.emplace(pattern, entry).second) bytes_ += entry.bytes;
  return {entry.compiled, true};
}

std::size_t PatternCache::memory_bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace hearth::resource
