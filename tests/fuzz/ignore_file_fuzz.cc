// .dockerignore: the first line is a path, the rest the patterns. What is ignored as a folder is
// ignored with all that it holds, unless a pattern takes it back.
#include "emulator/builder/ignore_file.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  std::string_view rest = fuzz::view(data, size);
  const std::string path(fuzz::take_until(rest, '\n'));
  const builder::IgnoreFile file(rest);
  const bool ignored = file.ignores(path);
  if (ignored) fuzz::require(!file.empty(), "nothing is ignored without a pattern");
  if (ignored && !rest.contains('!')) {
    fuzz::require(file.ignores(path + "/inner"), "an ignored folder is ignored whole");
  }
  return 0;
}
