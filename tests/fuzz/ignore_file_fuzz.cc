// .dockerignore: the first line is a path, the rest the patterns. What is ignored as a folder is
// ignored with all that it holds, unless a pattern takes it back. A pattern covers a path when it
// matches the path or a folder above it.
#include <algorithm>
#include <span>

#include "emulator/builder/ignore_file.h"
#include "platform/base/text.h"
#include "tests/fuzz/fuzz.h"

namespace hearth {
namespace {

void check_cover(std::string_view pattern, std::string_view path) {
  const auto components = base::split(path, '/');
  const std::span<const std::string_view> all(components);
  const builder::PathPattern read(pattern);
  bool matches = false;
  for (std::size_t i = 1; i <= all.size(); ++i) matches = matches || read.matches(all.first(i));
  fuzz::require(read.covers(all) == matches, "a pattern covers what lies below a match");
}

}  // namespace
}  // namespace hearth

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  std::string_view rest = fuzz::view(data, size);
  const std::string path(fuzz::take_until(rest, '\n'));
  const auto file = builder::IgnoreFile::parse(rest);
  if (!file) {
    fuzz::require_reason(file.error());
    fuzz::require(rest.size() > builder::kPatternBytesMax, "what is short is taken");
    return 0;
  }
  const bool ignored = file->ignores(path);
  if (ignored) fuzz::require(!file->empty(), "nothing is ignored without a pattern");
  if (ignored && !rest.contains('!')) {
    fuzz::require(file->ignores(path + "/inner"), "an ignored folder is ignored whole");
  }
  check_cover(rest.substr(0, rest.find('\n')), path);
  return 0;
}
