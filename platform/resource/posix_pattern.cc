#include "platform/resource/posix_pattern.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "platform/base/text.h"

namespace hearth::resource {
namespace {

// What the escape names, as members of a bracket expression; empty when it is no class.
std::string_view class_members(char letter) {
  switch (letter) {
    case 'd':
    case 'D':
      return "0-9";
    case 's':
    case 'S':
      return "[:space:]";
    case 'w':
    case 'W':
      return "[:alnum:]_";
    default:
      return {};
  }
}

bool is_negated(char letter) { return letter == 'D' || letter == 'S' || letter == 'W'; }

std::optional<char> control_character(char letter) {
  switch (letter) {
    case 't':
      return '\t';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    default:
      return std::nullopt;
  }
}

class Translator {
 public:
  explicit Translator(std::string_view pattern) : rest_(pattern) {}

  std::string run() {
    while (!rest_.empty()) {
      if (rest_.starts_with("(?:")) {
        out_ += '(';
        rest_.remove_prefix(3);
      } else if (rest_[0] == '\\' && rest_.size() > 1) {
        escape();
      } else if (rest_[0] == '[') {
        bracket();
      } else {
        out_ += take();
      }
    }
    return std::move(out_);
  }

 private:
  char take() {
    const char c = rest_[0];
    rest_.remove_prefix(1);
    return c;
  }

  // The character of an escape whose backslash is taken.
  char escaped_character() {
    const char letter = take();
    if (letter == 'x' && rest_.size() >= 2) {
      if (const auto code = base::parse_int<std::uint8_t>(rest_.substr(0, 2), 16)) {
        rest_.remove_prefix(2);
        return static_cast<char>(*code == 0 ? 1 : *code);
      }
    }
    return control_character(letter).value_or(letter);
  }

  void escape() {
    take();
    const std::string_view members = class_members(rest_[0]);
    if (!members.empty()) {
      out_ += is_negated(take()) ? "[^" : "[";
      out_.append(members).append("]");
      return;
    }
    const char c = escaped_character();
    if (std::string_view("^.[$()|*+?{\\").contains(c)) out_ += '\\';
    out_ += c;
  }

  // Members but "]", "[" and "-", which have places of their own in a POSIX bracket.
  struct Members {
    std::string text;
    bool closes = false;
    bool opens = false;
    bool dash = false;

    void add(char c) {
      if (c == ']') {
        closes = true;
      } else if (c == '[') {
        opens = true;
      } else {
        text += c;
      }
    }
  };

  void bracket() {
    take();
    out_ += '[';
    if (rest_.starts_with('^')) out_ += take();
    Members members;
    for (bool first = true; !rest_.empty() && (first || rest_[0] != ']'); first = false) {
      bracket_item(members);
    }
    if (!rest_.empty()) take();
    // A dash at either end means itself.
    while (members.text.starts_with('-')) {
      members.text.erase(0, 1);
      members.dash = true;
    }
    while (members.text.ends_with('-')) {
      members.text.pop_back();
      members.dash = true;
    }
    if (members.closes) out_ += ']';
    out_ += members.text;
    if (members.opens) out_ += '[';
    if (members.dash) out_ += '-';
    out_ += ']';
  }

  void bracket_item(Members& members) {
    if (rest_.starts_with("[:")) {
      const auto end = std::min(rest_.find(":]"), rest_.size() - 2) + 2;
      members.text += rest_.substr(0, end);
      rest_.remove_prefix(end);
      return;
    }
    const char c = take();
    if (c != '\\' || rest_.empty()) {
      members.add(c);
      return;
    }
    if (const auto named = class_members(rest_[0]); !named.empty() && !is_negated(rest_[0])) {
      members.text += named;
      take();
      return;
    }
    const char meant = escaped_character();
    if (meant == '-')
      members.dash = true;
    else
      members.add(meant);
  }

  std::string_view rest_;
  std::string out_;
};

}  // namespace

std::string to_posix_pattern(std::string_view pattern) { return Translator(pattern).run(); }

}  // namespace hearth::resource
