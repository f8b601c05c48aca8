#include "platform/resource/schema_patterns.h"

#include <iterator>
#include <utility>

#include <re2/re2.h>

namespace hearth::resource {
namespace {

std::shared_ptr<const re2::RE2> compile(const std::string& pattern) {
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_max_mem(PatternCache::kMemoryBytesMax);
  auto compiled = std::make_shared<const re2::RE2>(pattern, options);
  return compiled->ok() ? std::move(compiled) : nullptr;
}

}  // namespace

PatternCache::Found PatternCache::find(const std::string& pattern) {
  if (pattern.size() > kPatternBytesMax) return {};
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = compiled_.find(pattern); it != compiled_.end()) return {it->second};
  }
  auto compiled = compile(pattern);  // without the lock, which others want
  const std::lock_guard lock(mutex_);
  // Any one goes: a list of objects asks for its patterns in turn, and the oldest one of them is
  // the next that it needs.
  if (compiled_.size() >= kPatternsMax) {
    compiled_.erase(std::next(compiled_.begin(), static_cast<int>(random_() % kPatternsMax)));
  }
  compiled_.emplace(pattern, compiled);
  return {std::move(compiled), true};
}

std::size_t PatternCache::size() const {
  const std::lock_guard lock(mutex_);
  return compiled_.size();
}

}  // namespace hearth::resource
