// Dockerfiles, the substitution of variables in their words, and what the instructions make of a
// stage that need no files.
#include <algorithm>

#include "emulator/builder/dockerfile.h"
#include "emulator/builder/stage.h"
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
    if (!value) {
      fuzz::require_reason(value.error());
      continue;
    }
    require(value->size() <= word.size() + builder::kSubstitutedBytesMax, "a value has a bound");
  }
  const auto pairs = builder::parse_pairs(instruction.words, instruction.text, kVariables, escape);
  if (!pairs) fuzz::require_reason(pairs.error());
}

// False when it fails.
bool apply(const builder::Instruction& item, char escape, builder::StageState& state) {
  const std::map<std::string, std::string> given{{"GIVEN", "1"}};
  if (builder::makes_layer(item.keyword)) return true;
  const Status applied = builder::apply_metadata(
      item, {.given = given, .global = kVariables, .escape = escape}, state);
  if (!applied) {
    fuzz::require_reason(applied.error());
    return false;
  }
  std::size_t bytes = 0;
  for (const auto& [name, value] : state.variables()) {
    require(name.size() + value.size() < builder::kVariableBytesMax, "a variable has a bound");
    bytes += name.size() + value.size();
  }
  require(bytes <= builder::kVariablesBytesMax, "variables have a bound");
  return true;
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
  fuzz::require(file->stages.size() <= builder::kStagesMax, "stages have a bound");
  for (const builder::Instruction& arg : file->global_args) check(arg, file->escape, lines);
  for (const builder::Stage& stage : file->stages) {
    fuzz::require(stage.from.keyword == builder::Keyword::kFrom, "a stage begins with FROM");
    check(stage.from, file->escape, lines);
    builder::StageState state;
    bool works = true;
    for (const builder::Instruction& instruction : stage.instructions) {
      check(instruction, file->escape, lines);
      works = works && apply(instruction, file->escape, state);
    }
  }
  return 0;
}
