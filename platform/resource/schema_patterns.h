// The compiled patterns of schemas. RE2 is the engine that the patterns of Kubernetes' schemas are
// written for; its time is linear in the text, whatever the pattern. Any thread.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>

namespace re2 {
class RE2;
}

namespace hearth::resource {

class PatternCache {
 public:
  // The longest that anyone writes, addresses of IPv6, have one or two thousand bytes.
  static constexpr std::size_t kPatternBytesMax = 8 * 1024;
  // Of one compiled pattern with what it remembers of the texts that it saw. What doesn't fit the
  // first, such as a class of all letters that is repeated sixty times, gets the second.
  static constexpr std::size_t kMemoryBytes = 1024 * 1024;
  static constexpr std::size_t kLargeMemoryBytes = 8 * 1024 * 1024;
  // Of all: users bring schemas without end.
  static constexpr std::size_t kAllMemoryBytesMax = 64 * kMemoryBytes;

  struct Found {
    // Null for one that doesn't compile within the bounds. Threads may match with it at once.
    std::shared_ptr<const re2::RE2> compiled;
    bool is_new = false;  // it had to be compiled, which costs far more than a short match
  };
  Found find(const std::string& pattern);

  // What the compiled ones may take together.
  std::size_t memory_bytes() const;

 private:
  struct Entry {
    std::shared_ptr<const re2::RE2> compiled;
    std::size_t bytes = 0;
  };
  static Entry compile(const std::string& pattern);

  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
  std::size_t bytes_ = 0;
  std::minstd_rand random_;
};

}  // namespace hearth::resource
