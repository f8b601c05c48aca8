// What this machine must have, should have or may lack so that functions run: for `hearth doctor`.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace hearth::cli {

enum class Verdict { kPass, kWarn, kFail };

struct Check {
  std::string name;  // "python3"
  Verdict verdict = Verdict::kPass;
  std::string detail;  // what was found
  std::string fix;     // what to do; empty when it passed
};

// `state`: where the daemon would keep its state; its own ports count as free.
std::vector<Check> check_system(const std::filesystem::path& state);

const char* verdict_name(Verdict verdict);

}  // namespace hearth::cli
