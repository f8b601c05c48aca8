#include "emulator/builder/stage.h"

#include <algorithm>

#include <fmt/format.h>

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

Status apply_arg(const Instruction& item, const ArgumentSources& sources, StageState& stage) {
  for (const std::string& word : item.words) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    std::string value = platform_argument(name);
    bool known = !value.empty();
    if (equals != std::string::npos) {
      HEARTH_TRY(fallback, substitute(std::string_view(word).substr(equals + 1), stage.variables(),
                                      sources.escape));
      value = fallback;
      known = true;
    } else if (const auto global = sources.global.find(name); global != sources.global.end()) {
      value = global->second;
      known = true;
    }
    if (const auto given = sources.given.find(name); given != sources.given.end()) {
      value = given->second;
      known = true;
    }
    if (known) stage.args[name] = std::move(value);
  }
  return {};
}

Status add_ports(const std::vector<std::string>& words, StageState& stage) {
  for (const std::string& word : words) {
    const std::string port = word.contains('/') ? word : word + "/tcp";
    const std::string_view number = std::string_view(port).substr(0, port.find_first_of("/-"));
    if (!base::parse_int<std::uint16_t>(number)) {
      return fail(Code::kInvalid, fmt::format("{} is no port", word));
    }
    auto& ports = stage.config.exposed_ports;
    if (std::ranges::find(ports, port) == ports.end()) ports.push_back(port);
  }
  return {};
}

Status apply_healthcheck(const Instruction& item, StageState& stage) {
  if (base::equal_ignoring_case(item.text, "none")) {
    stage.config.healthcheck = {{"Test", {"NONE"}}};
    return {};
  }
  const std::string_view command = base::trim(item.text.substr(
      std::min<std::size_t>(item.text.size(), item.words.empty() ? 0 : item.words[0].size())));
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
  std::vector<std::string> out;
  for (const std::string& word : item.words) {
    HEARTH_TRY(text, substitute(word, stage.variables(), sources.escape));
    out.push_back(std::move(text));
  }
  return out;
}

Status apply_pairs(const Instruction& item, const ArgumentSources& sources, StageState& stage) {
  HEARTH_TRY(pairs, parse_pairs(item.words, item.text, stage.variables(), sources.escape));
  for (const auto& [name, value] : pairs) {
    if (item.keyword == Keyword::kEnv)
      stage.set_env(name, value);
    else
      stage.config.labels[name] = value;
  }
  return {};
}

}  // namespace

Variables StageState::variables() const {
  Variables out = args;
  for (const std::string& item : config.env) {
    const std::size_t equals = item.find('=');
    out[item.substr(0, equals)] = equals == std::string::npos ? "" : item.substr(equals + 1);
  }
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

void StageState::set_env(const std::string& name, const std::string& value) {
  const std::string prefix = name + "=";
  for (std::string& item : config.env) {
    if (item.starts_with(prefix)) {
      item = prefix + value;
      return;
    }
  }
  config.env.push_back(prefix + value);
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
      return {};
    case Keyword::kEntrypoint:
      stage.config.entrypoint = command_of(item, stage);
      stage.config.cmd.clear();  // a base's CMD belonged to the base's ENTRYPOINT
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

}  // namespace hearth::builder
