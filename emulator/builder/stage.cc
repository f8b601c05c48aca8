#include "emulator/builder/stage.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "platform/base/beginning.h"
#include "platform/base/quantity.h"
#include "platform/base/text.h"

namespace hearth::builder {
namespace {

// The form of a command in a configuration: shell text runs in the image's shell.
std::vector<std::string> command_of(const Instruction& item, const StageState& stage) {
  if (item.json) return item.words;
  std::vector<std::string> out = stage.config.shell;
  if (out.empty()) out = {"/bin/sh", "-c"};
  out.push_back(item.text);
  return out;
}

// Arguments that exist without being given (Dockerfile reference §platform ARGs).
std::string platform_argument(std::string_view name) {
  std::string architecture(oci::host_architecture());
  if (name == "TARGETPLATFORM" || name == "BUILDPLATFORM") return "linux/" + architecture;
  if (name == "TARGETOS" || name == "BUILDOS") return "linux";
  if (name == "TARGETARCH" || name == "BUILDARCH") return architecture;
  return {};
}

// nullopt: it is declared, but nobody gives it a value.
Result<std::optional<std::string>> argument_value(const std::string& name,
                                                  std::optional<std::string_view> fallback,
                                                  const ArgumentSources& sources,
                                                  Substitution& substitution) {
  std::optional<std::string> out;
  if (std::string own = platform_argument(name); !own.empty()) out = std::move(own);
  if (fallback) {
    HEARTH_TRY(value, substitution.of(*fallback));
    out = std::move(value);
  } else if (const auto global = sources.global.find(name); global != sources.global.end()) {
    out = global->second;
  }
  const auto given = sources.given.find(name);
  if (given != sources.given.end()) out = given->second;
  return out;
}

Status apply_arg(const Instruction& item, const ArgumentSources& sources, StageState& stage) {
  const Variables environment = stage.environment();
  Variables variables = stage.variables();
  Substitution substitution(variables, sources.escape);
  for (const std::string& word : item.words) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    std::optional<std::string_view> fallback;
    if (equals != std::string::npos) fallback = std::string_view(word).substr(equals + 1);
    HEARTH_TRY(value, argument_value(name, fallback, sources, substitution));
    if (!value) continue;
    // The next words see it.
    if (!environment.contains(name)) variables[name] = *value;
    stage.args[name] = std::move(*value);
  }
  return {};
}

Status add_ports(const std::vector<std::string>& words, StageState& stage) {
  auto& ports = stage.config.exposed_ports;
  std::set<std::string, std::less<>> known(ports.begin(), ports.end());
  for (const std::string& word : words) {
    const std::string port = word.contains('/') ? word : word + "/tcp";
    const std::string_view number = std::string_view(port).substr(0, port.find_first_of("/-"));
    if (!base::parse_int<std::uint16_t>(number)) {
      return fail(Code::kInvalid, fmt::format("{} is no port", word));
    }
    if (known.insert(port).second) ports.push_back(port);
  }
  return {};
}

Status apply_healthcheck(const Instruction& item, StageState& stage) {
  if (base::equal_ignoring_case(item.text, "none")) {
    stage.config.healthcheck = {{"Test", {"NONE"}}};
    return {};
  }
  const std::size_t keyword = item.words.empty() ? 0 : item.words[0].size();
  const std::string_view command =
      base::trim(std::string_view(item.text).substr(std::min(item.text.size(), keyword)));
  if (item.words.empty() || !base::equal_ignoring_case(item.words[0], "cmd") || command.empty()) {
    return fail(Code::kInvalid, "HEALTHCHECK is written HEALTHCHECK CMD command, or NONE");
  }
  Json test = {"CMD-SHELL", std::string(command)};
  if (const auto list = base::parse_json(command); list && list->is_array()) {
    test = Json::array({"CMD"});
    for (const Json& word : *list) test.push_back(word);
  }
  stage.config.healthcheck = {{"Test", std::move(test)}};
  static constexpr std::pair<const char*, const char*> kTimes[] = {
      {"interval", "Interval"}, {"timeout", "Timeout"}, {"start-period", "StartPeriod"}};
  for (const auto& [flag, field] : kTimes) {
    const auto found = item.flags.find(flag);
    if (found == item.flags.end()) continue;
    const auto duration = base::parse_go_duration(found->second);
    if (!duration) return fail(Code::kInvalid, fmt::format("--{} is no duration", flag));
    stage.config.healthcheck[field] = duration->count();
  }
  if (const auto retries = item.flags.find("retries"); retries != item.flags.end()) {
    stage.config.healthcheck["Retries"] = base::parse_int<int>(retries->second).value_or(3);
  }
  return {};
}

Result<std::vector<std::string>> substituted(const Instruction& item,
                                             const ArgumentSources& sources,
                                             const StageState& stage) {
  if (item.json) return item.words;
  const Variables variables = stage.variables();
  return Substitution(variables, sources.escape).of_all(item.words);
}

Status apply_pairs(const Instruction& item, const ArgumentSources& sources, StageState& stage) {
  HEARTH_TRY(pairs, parse_pairs(item.words, item.text, stage.variables(), sources.escape));
  if (item.keyword == Keyword::kEnv) {
    stage.set_env(pairs);
  } else {
    for (auto& [name, value] : pairs) stage.config.labels[name] = std::move(value);
  }
  return {};
}

Status check_variable(std::string_view name, std::size_t bytes) {
  if (bytes <= kVariableBytesMax) return {};
  return fail(Code::kTooLarge, fmt::format("the variable {} is over {} bytes",
                                           base::beginning_of(name, 100), kVariableBytesMax));
}

Status check_variables(const StageState& stage) {
  std::size_t total = 0;
  for (const auto& [name, value] : stage.args) {
    const std::size_t bytes = name.size() + value.size() + 2;  // "=" and the end
    HEARTH_CHECK_OK(check_variable(name, bytes));
    total += bytes;
  }
  for (const std::string& item : stage.config.env) {
    const auto name = std::string_view(item).substr(0, item.find('='));
    HEARTH_CHECK_OK(check_variable(name, item.size() + 1));
    total += item.size() + 1;
  }
  if (total <= kVariablesBytesMax) return {};
  return fail(Code::kTooLarge,
              fmt::format("the variables are over {} bytes together", kVariablesBytesMax));
}

Status check_labels(const StageState& stage) {
  std::size_t total = 0;
  for (const auto& [name, value] : stage.config.labels) total += name.size() + value.size();
  for (const std::string& port : stage.config.exposed_ports) total += port.size();
  for (const std::string& volume : stage.config.volumes) total += volume.size();
  if (total <= kLabelsBytesMax) return {};
  return fail(Code::kTooLarge,
              fmt::format("labels, ports and volumes are over {} bytes together", kLabelsBytesMax));
}

Status check_size(Keyword keyword, const StageState& stage) {
  switch (keyword) {
    case Keyword::kArg:
    case Keyword::kEnv:
      return check_variables(stage);
    case Keyword::kExpose:
    case Keyword::kLabel:
    case Keyword::kMaintainer:
    case Keyword::kVolume:
      return check_labels(stage);
    default:
      return {};
  }
}

// What an instruction says in words that may hold variables.
Status apply_words(const Instruction& item, const std::vector<std::string>& words,
                   StageState& stage) {
  switch (item.keyword) {
    case Keyword::kExpose:
      return add_ports(words, stage);
    case Keyword::kUser:
      stage.config.user = words[0];
      return {};
    case Keyword::kStopsignal:
      stage.config.stop_signal = words[0];
      return {};
    case Keyword::kVolume:
      for (const std::string& path : words) stage.config.volumes.push_back(path);
      return {};
    default:
      return {};
  }
}

Status apply(const Instruction& item, const ArgumentSources& sources, StageState& stage) {
  switch (item.keyword) {
    case Keyword::kArg:
      return apply_arg(item, sources, stage);
    case Keyword::kEnv:
    case Keyword::kLabel:
      return apply_pairs(item, sources, stage);
    case Keyword::kHealthcheck:
      return apply_healthcheck(item, stage);
    case Keyword::kCmd:
      stage.config.cmd = command_of(item, stage);
      stage.has_own_cmd = true;
      return {};
    case Keyword::kEntrypoint:
      stage.config.entrypoint = command_of(item, stage);
      // A base's CMD belonged to the base's ENTRYPOINT.
      if (!stage.has_own_cmd) stage.config.cmd.clear();
      return {};
    case Keyword::kShell:
      stage.config.shell = item.words;
      return {};
    case Keyword::kMaintainer:
      stage.config.labels["maintainer"] = item.text;
      return {};
    default:
      break;
  }
  HEARTH_TRY(words, substituted(item, sources, stage));
  return apply_words(item, words, stage);
}

}  // namespace

Variables StageState::environment() const {
  Variables out;
  for (const std::string& item : config.env) {
    const std::size_t equals = item.find('=');
    out[item.substr(0, equals)] = equals == std::string::npos ? "" : item.substr(equals + 1);
  }
  return out;
}

Variables StageState::variables() const {
  Variables out = environment();
  out.insert(args.begin(), args.end());
  if (host_backed) out.try_emplace("PATH", std::string(kStandardPathText));
  return out;
}

std::string StageState::env_value(std::string_view name) const {
  for (const std::string& item : config.env) {
    if (item.starts_with(name) && item.size() > name.size() && item[name.size()] == '=') {
      return item.substr(name.size() + 1);
    }
  }
  return {};
}

void StageState::set_env(const std::vector<std::pair<std::string, std::string>>& values) {
  auto& env = config.env;
  // One instruction may set very many: none is looked for among all.
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < env.size(); ++i) {
    places.emplace(env[i].substr(0, env[i].find('=')), i);
  }
  for (const auto& [name, value] : values) {
    const auto [place, is_new] = places.emplace(name, env.size());
    if (is_new) env.emplace_back();
    env[place->second] = fmt::format("{}={}", name, value);
  }
}

std::string StageState::absolute(std::string_view path) const {
  const std::filesystem::path root = config.working_dir.empty() ? "/" : config.working_dir;
  const bool is_folder = path.ends_with('/') || path.ends_with("/.") || path == "." || path.empty();
  std::string out = ("/" / (root / path)).lexically_normal().string();
  while (out.size() > 1 && out.ends_with('/')) out.pop_back();
  return is_folder && out != "/" ? out + "/" : out;
}

std::size_t StageState::add_folder(std::string_view path) {
  std::string folder = std::filesystem::path(path).lexically_normal().string();
  if (folder.ends_with('/')) folder.pop_back();
  std::size_t looked_at = 0;
  // The parents of a known folder are known.
  while (!folder.empty()) {
    ++looked_at;
    if (!folders.insert(folder).second) break;
    folder.resize(folder.rfind('/'));
  }
  return looked_at;
}

bool makes_layer(Keyword keyword) {
  return keyword == Keyword::kCopy || keyword == Keyword::kAdd || keyword == Keyword::kRun ||
         keyword == Keyword::kWorkdir;
}

Status apply_metadata(const Instruction& item, const ArgumentSources& sources, StageState& stage) {
  HEARTH_CHECK_OK(apply(item, sources, stage));
  return check_size(item.keyword, stage);
}

}  // namespace hearth::builder
