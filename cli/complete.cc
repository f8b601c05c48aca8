// hearth __complete WORDS…: what may stand where the last word is begun, a candidate a line. The
// shells' scripts of `hearth completion` ask it for what only the daemon knows.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/kinds.h"
#include "cli/state_location.h"
#include "platform/resource/well_known.h"

namespace hearth::cli {
namespace {

// Flags of the commands below whose value is a word of its own.
constexpr std::array<std::string_view, 14> kFlagsWithValue{
    "-n",     "--namespace", "--state", "-o",        "--output", "-l",     "--selector",
    "--tail", "--since",     "-d",      "--timeout", "-H",       "--data", "--container"};

struct Line {
  Target target;
  std::vector<std::string> positional;  // without the word that is begun
  std::string begun;
};

Line parse_line(std::vector<std::string> words) {
  Line line;
  if (const char* state = std::getenv("HEARTH_STATE")) line.target.state = state;
  if (const char* ns = std::getenv("HEARTH_NAMESPACE")) line.target.ns = ns;
  if (words.empty()) return line;
  line.begun = std::move(words.back());
  words.pop_back();
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool has_value = std::ranges::find(kFlagsWithValue, word) != kFlagsWithValue.end();
    if (has_value && i + 1 < words.size()) {
      ++i;
      if (word == "-n" || word == "--namespace") line.target.ns = words[i];
      if (word == "--state") line.target.state = words[i];
    } else if (!word.starts_with('-')) {
      line.positional.push_back(word);
    }
  }
  return line;
}

Result<std::vector<std::string>> names_of(ApiClient& api, const resource::Type& type,
                                          const std::string& ns, const std::string& prefix) {
  HEARTH_TRY(list, api.get(path_of(type, type.namespaced ? ns : "")));
  std::vector<std::string> out;
  for (const Json& item : list["items"]) out.push_back(prefix + resource::name_of(item));
  return out;
}

// TYPE, then NAMEs; or TYPE/NAME in one word.
Result<std::vector<std::string>> objects(ApiClient& api, const Line& line) {
  HEARTH_TRY(kinds, Kinds::load(api));
  const auto slash = line.begun.find('/');
  if (line.positional.size() == 1 && slash == line.begun.npos) return kinds.plurals();
  const bool in_one = line.positional.size() == 1;
  HEARTH_TRY(kind, kinds.find(in_one ? line.begun.substr(0, slash) : line.positional[1]));
  return names_of(api, kind.type, line.target.ns, in_one ? line.begun.substr(0, slash + 1) : "");
}

Result<std::vector<std::string>> dead_letters(ApiClient& api, const Line& line) {
  HEARTH_TRY(letters,
             api.administer("GET", "deadletters" + query_of({{"namespace", line.target.ns}})));
  std::vector<std::string> out;
  for (const Json& letter : letters["items"]) {
    out.push_back(std::to_string(base::int_at(letter, {"id"}).value_or(0)));
  }
  return out;
}

Result<std::vector<std::string>> candidates(const Line& line) {
  if (line.positional.empty()) return std::vector<std::string>();
  const std::string& command = line.positional[0];
  HEARTH_TRY(daemon, find_daemon(line.target.state_folder()));
  ApiClient api(std::move(daemon));
  if (command == "get" || command == "describe" || command == "delete") return objects(api, line);
  if (command == "dlq") return dead_letters(api, line);
  return names_of(api, resource::kFunctions, line.target.ns, "");
}

}  // namespace

int complete(std::vector<std::string> words) {
  // In the middle of a line an error has no place: there are no candidates then.
  const auto found = candidates(parse_line(std::move(words)));
  if (found) {
    for (const std::string& word : *found) std::cout << word << "\n";
  }
  return kOk;
}

}  // namespace hearth::cli
