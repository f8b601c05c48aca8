#include "emulator/builder/substitute.h"

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::builder {
namespace {

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

// Each level of ${a:-${b:-…}} is a call, and the word is an outsider's: nobody nests as deep.
constexpr int kMaxNesting = 32;

class Substituter {
 public:
  Substituter(std::string_view word, const Variables& variables, char escape,
              std::size_t& bytes_left, int nesting = 0)
      : word_(word),
        variables_(variables),
        escape_(escape),
        bytes_left_(bytes_left),
        nesting_(nesting) {}

  Result<std::string> run() {
    char quote = 0;
    for (; at_ < word_.size(); ++at_) {
      const char c = word_[at_];
      if (quote != '\'' && c == escape_ && at_ + 1 < word_.size()) {
        keep_escaped(quote);
      } else if (quote == 0 && (c == '"' || c == '\'')) {
        quote = c;
      } else if (c == quote) {
        quote = 0;
      } else if (c == '$' && quote != '\'') {
        HEARTH_CHECK_OK(variable());
      } else {
        out_ += c;
      }
    }
    if (quote != 0) return fail(Code::kInvalid, fmt::format("{}: the quote is not closed", word_));
    return std::move(out_);
  }

 private:
  // Within double quotes only \" \$ and \\ are escapes.
  void keep_escaped(char quote) {
    const char next = word_[++at_];
    if (quote == '"' && next != '"' && next != '$' && next != escape_) out_ += escape_;
    out_ += next;
  }

  const std::string* find(std::string_view name) const {
    const auto found = variables_.find(name);
    return found == variables_.end() ? nullptr : &found->second;
  }

  // Text that is dropped counts as well (${unset:+$a$a…}): making it took as long.
  Status put(const std::string& value) {
    if (value.size() > bytes_left_) {
      return fail(Code::kTooLarge, fmt::format("the values of its variables are over {} bytes",
                                               kSubstitutedBytesMax));
    }
    bytes_left_ -= value.size();
    out_ += value;
    return {};
  }

  Status variable() {
    if (at_ + 1 < word_.size() && word_[at_ + 1] == '{') return braced();
    std::size_t end = at_ + 1;
    if (end < word_.size() && is_name_start(word_[end])) {
      while (end < word_.size() && is_name(word_[end])) ++end;
    }
    if (end == at_ + 1) {
      out_ += '$';
      return {};
    }
    const std::string* value = find(word_.substr(at_ + 1, end - at_ - 1));
    at_ = end - 1;
    return value != nullptr ? put(*value) : Status();
  }

  // "${name}", "${name:-word}", "${name-word}", "${name:+word}", "${name:?message}".
  Status braced() {
    std::size_t end = at_ + 2;
    for (int depth = 1; end < word_.size(); ++end) {
      if (word_[end] == '{') ++depth;
      if (word_[end] == '}' && --depth == 0) break;
    }
    if (end >= word_.size()) return fail(Code::kInvalid, fmt::format("{}: missing }}", word_));
    const std::string_view body = word_.substr(at_ + 2, end - at_ - 2);
    at_ = end;
    std::size_t split = 0;
    while (split < body.size() && is_name(body[split])) ++split;
    const std::string_view name = body.substr(0, split);
    const std::string* value = find(name);
    std::string_view rest = body.substr(split);
    if (name.empty()) return fail(Code::kInvalid, fmt::format("{}: a name is missing", word_));
    if (rest.empty()) return value != nullptr ? put(*value) : Status();
    const bool unset = value == nullptr;
    // With ':' an empty value counts as unset.
    if (rest[0] == ':') {
      rest.remove_prefix(1);
      if (!unset && value->empty()) value = nullptr;
    }
    return modified(name, rest, value, unset ? "unset" : "empty");
  }

  Status modified(std::string_view name, std::string_view rest, const std::string* value,
                  std::string_view lack) {
    const char action = rest.empty() ? '\0' : rest[0];
    if (action != '-' && action != '+' && action != '?') {
      return fail(Code::kInvalid, fmt::format("{}: only :- :+ and :? are supported", word_));
    }
    if (nesting_ == kMaxNesting) {
      return fail(Code::kInvalid,
                  fmt::format("${{{}}}: nested more than {} deep", name, kMaxNesting));
    }
    HEARTH_TRY(text,
               Substituter(rest.substr(1), variables_, escape_, bytes_left_, nesting_ + 1).run());
    if (action == '?' && value == nullptr) {
      if (text.empty()) text = fmt::format("is not allowed to be {}", lack);
      return fail(Code::kInvalid, fmt::format("{}: {}", name, text));
    }
    if (action != '+' && value != nullptr) return put(*value);
    if (action != '+' || value != nullptr) out_ += text;
    return {};
  }

  std::string_view word_;
  const Variables& variables_;
  char escape_;
  std::size_t& bytes_left_;  // of values, also for those who nest in this one
  int nesting_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

Result<std::string> Substitution::of(std::string_view word) {
  return Substituter(word, variables_, escape_, bytes_left_).run();
}

Result<std::vector<std::string>> Substitution::of_all(const std::vector<std::string>& words) {
  std::vector<std::string> out;
  out.reserve(words.size());
  for (const std::string& word : words) {
    HEARTH_TRY(text, of(word));
    out.push_back(std::move(text));
  }
  return out;
}

Result<std::string> substitute(std::string_view word, const Variables& variables, char escape) {
  return Substitution(variables, escape).of(word);
}

Result<std::vector<std::pair<std::string, std::string>>> parse_pairs(
    const std::vector<std::string>& words, std::string_view text, const Variables& variables,
    char escape) {
  std::vector<std::pair<std::string, std::string>> out;
  Substitution substitution(variables, escape);
  if (!words.empty() && !words[0].contains('=')) {
    const std::string_view rest = base::trim(text.substr(words[0].size()));
    if (rest.empty()) return fail(Code::kInvalid, fmt::format("{} has no value", words[0]));
    HEARTH_TRY(value, substitution.of(rest));
    out.emplace_back(words[0], std::move(value));
    return out;
  }
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(Code::kInvalid, fmt::format("{} is not of the form name=value", word));
    }
    HEARTH_TRY(name, substitution.of(word.substr(0, equals)));
    HEARTH_TRY(value, substitution.of(std::string_view(word).substr(equals + 1)));
    out.emplace_back(std::move(name), std::move(value));
  }
  return out;
}

}  // namespace hearth::builder
