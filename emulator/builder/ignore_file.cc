#include "emulator/builder/ignore_file.h"

#include <filesystem>
#include <string>

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::builder {
namespace {

// One rule may take as long as the longest pattern on the longest path, some 10 ms.
constexpr std::size_t kRulesPerCheckpoint = 16;

// Empty when the line holds none.
std::string_view pattern_of(std::string_view line) {
  return line.starts_with('#') ? std::string_view() : base::trim(line);
}

}  // namespace

IgnoreFile::IgnoreFile(std::string_view text) {
  for (const std::string_view line : base::split(text, '\n')) add(pattern_of(line));
}

Result<IgnoreFile> IgnoreFile::parse(std::string_view text) {
  if (text.size() > kIgnoreFileBytesMax) {
    return fail(Code::kTooLarge, fmt::format("it is over {} bytes", kIgnoreFileBytesMax));
  }
  IgnoreFile out;
  int number = 0;
  for (const std::string_view line : base::split(text, '\n')) {
    ++number;
    const std::string_view pattern = pattern_of(line);
    if (pattern.size() > kPatternBytesMax) {
      return fail(Code::kTooLarge,
                  fmt::format("line {}: the pattern is over {} bytes", number, kPatternBytesMax));
    }
    out.add(pattern);
    if (out.rules_.size() > kIgnorePatternsMax) {
      return fail(Code::kTooLarge,
                  fmt::format("line {}: there are over {} patterns", number, kIgnorePatternsMax));
    }
  }
  return out;
}

void IgnoreFile::add(std::string_view pattern) {
  const bool takes_back = pattern.starts_with('!');
  if (takes_back) pattern = base::trim(pattern.substr(1));
  if (pattern.empty()) return;
  // Patterns are rooted at the context: "/a", "./a" and "a" are the same.
  std::string clean = std::filesystem::path("/" + std::string(pattern)).lexically_normal().string();
  clean.erase(0, clean.find_first_not_of('/'));
  while (clean.ends_with('/')) clean.pop_back();
  if (!clean.empty()) rules_.push_back({.pattern = PathPattern(clean), .takes_back = takes_back});
}

Result<bool> IgnoreFile::ignores(std::string_view path, const oci::Checkpoint& checkpoint) const {
  const auto components = base::split(path, '/');
  bool ignored = false;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (i % kRulesPerCheckpoint == 0) HEARTH_CHECK_OK(oci::pass(checkpoint));
    if (rules_[i].takes_back != ignored) continue;  // it would change nothing
    if (rules_[i].pattern.covers(components)) ignored = !rules_[i].takes_back;
  }
  return ignored;
}

}  // namespace hearth::builder
