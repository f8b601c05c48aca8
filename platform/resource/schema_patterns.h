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
  // Of one compiled pattern with what it remembers of the texts that it saw. A class of all letters
  // may be repeated thirty times, one of ASCII thousands of times.
  static constexpr std::size_t kMemoryBytesMax = 1024 * 1024;
  static constexpr std::size_t kPatternsMax = 64;  // users bring schemas without end

  struct Found {
    // Null for one that doesn't compile within the bounds. Threads may match with it at once.
    std::shared_ptr<const re2::RE2> compiled;
    bool is_new = false;  // it had to be compiled, which costs far more than a short match
  };
  Found find(const std::string& pattern);

  std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const re2::RE2>> compiled_;
  std::minstd_rand random_;
};

}  // namespace hearth::resource
