// Dockerfiles and the substitution of variables in their words.
#include <algorithm>

#include "emulator/builder/dockerfile.h"
#include "emulator/builder/substitute.h"
#include "tests/fuzz/fuzz.h"

namespace hearth {
namespace {

using fuzz::require;

const builder::Variables kVariables{{"A", "1"}, {"PATH", "/bin:$A"}, {"EMPTY", ""}};

void check(const builder::Instruction& instruction, char escape, int lines) {
  require(!instruction.name.empty(), "an instruction has a name");
  require(instruction.line >= 1 && instruction.line <= lines, "an instruction stands in the file");
  for (const std::string& word : instruction.words) {
    const auto value = builder::substitute(word, kVariables, escape);
    if (!value) fuzz::require_reason(value.error());
  }
  const auto pairs = builder::parse_pairs(instruction.words, instruction.text, kVariables, escape);
  if (!pairs) fuzz::require_reason(pairs.error());
}

}  // namespace
}  // namespace hearth

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  const std::string_view text = fuzz::view(data, size);
  const auto file = builder::parse_dockerfile(text);
  if (!file) {
    fuzz::require_reason(file.error());
    return 0;
  }
  const int lines = static_cast<int>(std::ranges::count(text, '\n')) + 1;
  fuzz::require(!file->stages.empty(), "a Dockerfile has a stage");
  for (const builder::Instruction& arg : file->global_args) check(arg, file->escape, lines);
  for (const builder::Stage& stage : file->stages) {
    fuzz::require(stage.from.keyword == builder::Keyword::kFrom, "a stage begins with FROM");
    check(stage.from, file->escape, lines);
    for (const builder::Instruction& instruction : stage.instructions) {
      check(instruction, file->escape, lines);
    }
  }
  return 0;
}
