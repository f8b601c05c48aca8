// Which objects a command is about, as kubectl takes it: TYPE [NAME…], TYPE,TYPE [NAME…] or
// TYPE/NAME….
#pragma once

#include <string>
#include <vector>

#include "cli/kinds.h"
#include "platform/base/result.h"

namespace hearth::cli {

struct ObjectWords {
  std::string type;
  std::vector<std::string> names;  // none: all

  friend bool operator==(const ObjectWords&, const ObjectWords&) = default;
};

struct KindWords {
  Kind kind;
  std::vector<std::string> names;  // none: all
};

// One entry a type, in the order of their first mention. kBadRequest says what is mixed up.
Result<std::vector<ObjectWords>> parse_object_words(const std::vector<std::string>& words);

// One entry a kind, by whatever names it was asked for.
Result<std::vector<KindWords>> kinds_of(std::vector<ObjectWords> asked, const Kinds& kinds);

}  // namespace hearth::cli
