#include "emulator/builder/dockerfile.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "platform/base/json.h"
#include "platform/base/text.h"

namespace hearth::builder {
namespace {

struct KnownKeyword {
  std::string_view name;
  Keyword keyword;
};
constexpr std::array<KnownKeyword, 17> kKeywords = {{
    {"ADD", Keyword::kAdd},
    {"ARG", Keyword::kArg},
    {"CMD", Keyword::kCmd},
    {"COPY", Keyword::kCopy},
    {"ENTRYPOINT", Keyword::kEntrypoint},
    {"ENV", Keyword::kEnv},
    {"EXPOSE", Keyword::kExpose},
    {"FROM", Keyword::kFrom},
    {"HEALTHCHECK", Keyword::kHealthcheck},
    {"LABEL", Keyword::kLabel},
    {"MAINTAINER", Keyword::kMaintainer},
    {"RUN", Keyword::kRun},
    {"SHELL", Keyword::kShell},
    {"STOPSIGNAL", Keyword::kStopsignal},
    {"USER", Keyword::kUser},
    {"VOLUME", Keyword::kVolume},
    {"WORKDIR", Keyword::kWorkdir},
}};

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return out;
}

std::unexpected<Error> fail_at(int line, std::string_view what) {
  return fail(Code::kInvalid, fmt::format("Dockerfile line {}: {}", line, what));
}

// Blank-separated words; quotes and escapes keep blanks together and stay in the word.
std::vector<std::string> split_words(std::string_view text, char escape) {
  std::vector<std::string> out;
  std::string word;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == escape && quote != '\'' && i + 1 < text.size()) {
      word += c;
      word += text[++i];
    } else if (quote == 0 && is_blank(c)) {
      if (!word.empty()) out.push_back(std::exchange(word, {}));
    } else {
      if (quote == 0 && (c == '"' || c == '\''))
        quote = c;
      else if (c == quote)
        quote = 0;
      word += c;
    }
  }
  if (!word.empty()) out.push_back(std::move(word));
  return out;
}

struct LogicalLine {
  int number = 0;
  std::string text;
};

// Comments and empty lines go, also between the lines of a continued instruction.
std::vector<LogicalLine> join_lines(std::string_view text, char escape) {
  std::vector<LogicalLine> out;
  std::optional<LogicalLine> open;
  int number = 0;
  for (std::string_view line : base::split(text, '\n')) {
    ++number;
    const std::string_view trimmed = base::trim(line);
    if (trimmed.empty() || trimmed.starts_with('#')) continue;
    const bool continues = trimmed.back() == escape;
    if (!open) open = LogicalLine{.number = number, .text = {}};
    // Ends where `trimmed` does, whatever white space follows; what stands in front is kept.
    line.remove_suffix(static_cast<std::size_t>(line.end() - trimmed.end()));
    if (continues) line.remove_suffix(1);
    open->text += line;
    if (!continues) {
      out.push_back(std::move(*open));
      open.reset();
    }
  }
  if (open) out.push_back(std::move(*open));
  return out;
}

// "# escape=`" counts only before anything else (directives stand at the very top).
Result<char> escape_directive(std::string_view text) {
  int number = 0;
  for (const std::string_view line : base::split(text, '\n')) {
    ++number;
    const std::string_view trimmed = base::trim(line);
    if (!trimmed.starts_with('#')) break;
    const std::string_view body = base::trim(trimmed.substr(1));
    const std::size_t equals = body.find('=');
    if (equals == std::string_view::npos) break;
    if (base::lower(base::trim(body.substr(0, equals))) != "escape") continue;
    const std::string_view value = base::trim(body.substr(equals + 1));
    if (value == "\\" || value == "`") return value[0];
    return fail_at(number, "the escape character is \\ or `");
  }
  return '\\';
}

// --name=value in front of the rest; returns what is left.
std::string_view take_flags(std::string_view text, Instruction& out) {
  while (text.starts_with("--")) {
    const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
    const std::string_view flag = text.substr(2, end - 2);
    if (flag.empty()) break;
    const std::size_t equals = flag.find('=');
    const bool valued = equals != std::string_view::npos;
    out.flags.emplace(std::string(flag.substr(0, equals)),
                      valued ? std::string(flag.substr(equals + 1)) : "true");
    text = base::trim(text.substr(end));
  }
  return text;
}

bool may_be_json(Keyword keyword) {
  switch (keyword) {
    case Keyword::kRun:
    case Keyword::kCmd:
    case Keyword::kEntrypoint:
    case Keyword::kCopy:
    case Keyword::kAdd:
    case Keyword::kShell:
    case Keyword::kVolume:
      return true;
    default:
      return false;
  }
}

// A list that is no JSON of strings is shell text, as Docker decides.
bool take_json(Instruction& out) {
  if (!may_be_json(out.keyword) || !out.text.starts_with('[')) return false;
  const auto json = base::parse_json(out.text);
  if (!json || !json->is_array()) return false;
  std::vector<std::string> words;
  for (const Json& item : *json) {
    if (!item.is_string()) return false;
    words.push_back(item.get<std::string>());
  }
  out.words = std::move(words);
  return out.json = true;
}

Result<Keyword> keyword_of(const std::string& name, int line) {
  for (const KnownKeyword& known : kKeywords) {
    if (known.name == name) return known.keyword;
  }
  if (name == "ONBUILD") return fail_at(line, "ONBUILD is not supported");
  std::vector<std::string> names;
  names.reserve(std::size(kKeywords));
  for (const KnownKeyword& known : kKeywords) names.emplace_back(known.name);
  const auto near = base::nearest(name, names);
  return fail_at(line, near ? fmt::format("unknown instruction {}; did you mean {}?", name, *near)
                            : fmt::format("unknown instruction {}", name));
}

// CMD [] and ENTRYPOINT [] take away what the base has.
bool may_be_empty(const Instruction& item) {
  return item.json && (item.keyword == Keyword::kCmd || item.keyword == Keyword::kEntrypoint);
}

Status check_arguments(const Instruction& item) {
  if (item.words.empty() && !may_be_empty(item)) {
    return fail_at(item.line, item.name + " needs an argument");
  }
  const bool copies = item.keyword == Keyword::kCopy || item.keyword == Keyword::kAdd;
  if (copies && item.words.size() < 2) {
    return fail_at(item.line, item.name + " needs a source and a destination");
  }
  const bool here = std::ranges::any_of(item.words, [](const std::string& word) {
    return word.starts_with("<<") && word.size() > 2 && word[2] != '<';
  });
  if (!item.json && (copies || item.keyword == Keyword::kRun) && here) {
    return fail_at(item.line, "here-documents are not supported; copy a script instead");
  }
  if (item.keyword == Keyword::kShell && !item.json) {
    return fail_at(item.line, R"(SHELL takes the JSON form: SHELL ["/bin/sh", "-c"])");
  }
  return {};
}

Result<Instruction> parse_instruction(const LogicalLine& line, char escape) {
  const std::string_view text = base::trim(line.text);
  const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
  Instruction out{.name = upper(text.substr(0, end)), .line = line.number};
  out.original = out.name + std::string(text.substr(end));
  HEARTH_TRY(keyword, keyword_of(out.name, line.number));
  out.keyword = keyword;
  // The check of a HEALTHCHECK has flags of its own kind; all else begins with them too.
  out.text = take_flags(base::trim(text.substr(end)), out);
  if (!take_json(out)) out.words = split_words(out.text, escape);
  HEARTH_CHECK_OK(check_arguments(out));
  return out;
}

Result<Stage> open_stage(Instruction from, const Dockerfile& file) {
  if (file.stages.size() == kStagesMax) {
    return fail(Code::kTooLarge,
                fmt::format("Dockerfile line {}: there are over {} stages", from.line, kStagesMax));
  }
  Stage out;
  if (from.words.size() == 3 && base::equal_ignoring_case(from.words[1], "as")) {
    out.name = base::lower(from.words[2]);
    for (const Stage& other : file.stages) {
      if (other.name == out.name) return fail_at(from.line, "a stage of that name exists already");
    }
  } else if (from.words.size() != 1) {
    return fail_at(from.line, "FROM is written FROM image [AS name]");
  }
  out.from = std::move(from);
  return out;
}

}  // namespace

Result<Dockerfile> parse_dockerfile(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Dockerfile out;
  HEARTH_TRY(escape, escape_directive(text));
  out.escape = escape;
  for (const LogicalLine& line : join_lines(text, escape)) {
    HEARTH_TRY(item, parse_instruction(line, escape));
    if (item.keyword == Keyword::kFrom) {
      HEARTH_TRY(stage, open_stage(std::move(item), out));
      out.stages.push_back(std::move(stage));
    } else if (!out.stages.empty()) {
      out.stages.back().instructions.push_back(std::move(item));
    } else if (item.keyword == Keyword::kArg) {
      out.global_args.push_back(std::move(item));
    } else {
      return fail_at(line.number, item.name + " before the first FROM; only ARG may stand there");
    }
  }
  if (out.stages.empty()) return fail(Code::kInvalid, "the Dockerfile has no FROM");
  return out;
}

}  // namespace hearth::builder
