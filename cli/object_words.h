// Which objects a command is about, as kubectl takes it: TYPE [NAME…], TYPE,TYPE [NAME…] or
// TYPE/NAME….
#pragma once

#include <string>
#include <vector>

#include "platform/base/result.h"

namespace hearth::cli {

struct ObjectWords {
  std::string type;
  std::vector<std::string> names;  // none: all

  friend bool operator==(const ObjectWords&, const ObjectWords&) = default;
};

// One entry a type, in the order of their first mention. kBadRequest says what is mixed up.
Result<std::vector<ObjectWords>> parse_object_words(const std::vector<std::string>& words);

}  // namespace hearth::cli
