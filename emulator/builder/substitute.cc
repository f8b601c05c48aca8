#include "emulator/builder/substitute.h"

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::builder {
namespace {

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

class Substituter {
 public:
  Substituter(std::string_view word, const Variables& variables, char escape)
      : word_(word), variables_(variables), escape_(escape) {}

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
    if (const std::string* value = find(word_.substr(at_ + 1, end - at_ - 1))) out_ += *value;
    at_ = end - 1;
    return {};
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
    const std::string* value = find(body.substr(0, split));
    std::string_view rest = body.substr(split);
    if (split == 0) return fail(Code::kInvalid, fmt::format("{}: a name is missing", word_));
    if (rest.empty()) {
      if (value != nullptr) out_ += *value;
      return {};
    }
    // With ':' an empty value counts as unset.
    if (rest[0] == ':') {
      rest.remove_prefix(1);
      if (value != nullptr && value->empty()) value = nullptr;
    }
    return modified(rest, value);
  }

  Status modified(std::string_view rest, const std::string* value) {
    const char action = rest.empty() ? '\0' : rest[0];
    if (action != '-' && action != '+' && action != '?') {
      return fail(Code::kInvalid, fmt::format("{}: only :- :+ and :? are supported", word_));
    }
    HEARTH_TRY(text, Substituter(rest.substr(1), variables_, escape_).run());
    if (action == '?' && value == nullptr) return fail(Code::kInvalid, text);
    if (action == '+') {
      if (value != nullptr) out_ += text;
    } else {
      out_ += value != nullptr ? *value : text;
    }
    return {};
  }

  std::string_view word_;
  const Variables& variables_;
  char escape_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

Result<std::string> substitute(std::string_view word, const Variables& variables, char escape) {
  return Substituter(word, variables, escape).run();
}

Result<std::vector<std::pair<std::string, std::string>>> parse_pairs(
    const std::vector<std::string>& words, std::string_view text, const Variables& variables,
    char escape) {
  std::vector<std::pair<std::string, std::string>> out;
  if (!words.empty() && !words[0].contains('=')) {
    const std::string_view rest = base::trim(text.substr(words[0].size()));
    if (rest.empty()) return fail(Code::kInvalid, fmt::format("{} has no value", words[0]));
    HEARTH_TRY(value, substitute(rest, variables, escape));
    out.emplace_back(words[0], std::move(value));
    return out;
  }
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(Code::kInvalid, fmt::format("{} is not of the form name=value", word));
    }
    HEARTH_TRY(name, substitute(word.substr(0, equals), variables, escape));
    HEARTH_TRY(value, substitute(std::string_view(word).substr(equals + 1), variables, escape));
    out.emplace_back(std::move(name), std::move(value));
  }
  return out;
}

}  // namespace hearth::builder
