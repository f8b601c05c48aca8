// Reads Dockerfiles: directives, comments, continuation lines, flags, JSON and shell forms. Words
// are not substituted here: that needs the values of the moment (substitute.h).
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.h"

namespace hearth::builder {

enum class Keyword {
  kAdd,
  kArg,
  kCmd,
  kCopy,
  kEntrypoint,
  kEnv,
  kExpose,
  kFrom,
  kHealthcheck,
  kLabel,
  kMaintainer,
  kRun,
  kShell,
  kStopsignal,
  kUser,
  kVolume,
  kWorkdir,
};

struct Instruction {
  Keyword keyword = Keyword::kRun;
  std::string name;                               // "RUN"
  int line = 0;                                   // where it begins, from 1
  std::multimap<std::string, std::string> flags;  // --from=x is {"from", "x"}
  std::string text;                               // what follows keyword and flags, lines joined
  std::string original;                           // all of it, for people: log, history
  bool json = false;                              // exec form: `words` are its strings
  // The list of the JSON form, or the blank-separated words as written, quotes kept.
  std::vector<std::string> words;
};

struct Stage {
  std::string name;  // lower case; empty when it has none
  Instruction from;
  std::vector<Instruction> instructions;
};

// A build may hold the state of each, and the stages below one are opened within one another.
inline constexpr std::size_t kStagesMax = 256;

struct Dockerfile {
  char escape = '\\';
  std::vector<Instruction> global_args;  // ARG before the first FROM
  std::vector<Stage> stages;
};

// kInvalid with the line, kTooLarge over kStagesMax; an unknown keyword names its nearest
// neighbour.
Result<Dockerfile> parse_dockerfile(std::string_view text);

}  // namespace hearth::builder
