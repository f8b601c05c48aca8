#include "platform/base/yaml_json.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "platform/base/limits.h"
#include "platform/base/text.h"
#include "platform/base/yaml_scalar.h"

namespace hearth::base {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_high_surrogate(char32_t unit) { return unit >= 0xD800 && unit < 0xDC00; }
bool is_low_surrogate(char32_t unit) { return unit >= 0xDC00 && unit < 0xE000; }

void append_utf8(std::string& out, char32_t c) {
  const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

// The text and where in it we are.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  TextPosition at() const { return at_; }
  bool at_end() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  std::string_view rest() const { return rest_; }

  char take() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    // Columns are characters: the later bytes of one don't count.
    if (c == '\n')
      at_ = {at_.line + 1, 1};
    else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80)
      ++at_.column;
    return c;
  }

  bool take_if(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    for (std::size_t i = 0; i < word.size(); ++i) take();
    return true;
  }

  void skip_space() {
    while (!rest_.empty() && std::string_view(" \t\r\n").contains(rest_.front())) take();
  }

 private:
  std::string_view rest_;
  TextPosition at_;
};

Error invalid(std::string_view why, TextPosition at, std::string_view origin) {
  return {Code::kBadRequest, fmt::format("{}: invalid JSON: {}", place_text(at, origin), why), {}};
}

// Of the character that `text` begins with; 0: it is none.
std::size_t character_length(std::string_view text) {
  for (std::size_t length = 1; length <= std::min<std::size_t>(4, text.size()); ++length) {
    if (is_valid_utf8(text.substr(0, length))) return length;
  }
  return 0;
}

TextPosition first_non_utf8(std::string_view text) {
  Cursor cursor(text);
  while (const std::size_t length = character_length(cursor.rest())) {
    cursor.take_if(cursor.rest().substr(0, length));
  }
  return cursor.at();
}

class JsonReader {
 public:
  JsonReader(std::string_view text, std::string_view origin) : cursor_(text), origin_(origin) {}

  Result<std::vector<YamlDocument>> run() {
    std::vector<YamlDocument> documents;
    for (cursor_.skip_space(); !cursor_.at_end(); cursor_.skip_space()) {
      document_ = {};
      HEARTH_TRY(root, value(0));
      documents.push_back(std::move(document_));
    }
    return documents;
  }

 private:
  // Each returns the index of the node that it read.
  Result<std::size_t> value(std::size_t depth) {
    cursor_.skip_space();
    if (depth > limits::kJsonDepthMax) return refuse("it is nested too deeply");
    switch (cursor_.peek()) {
      case '{':
        return mapping(depth);
      case '[':
        return sequence(depth);
      case '"':
        return string();
      default:
        return literal();
    }
  }

  Result<std::size_t> mapping(std::size_t depth) {
    HEARTH_TRY(index, add(YamlNode::Kind::kMapping));
    cursor_.take();
    cursor_.skip_space();
    if (cursor_.take_if("}")) return index;
    while (true) {
      cursor_.skip_space();
      if (cursor_.peek() != '"') return refuse("expected a key in double quotes");
      HEARTH_TRY(key, string());
      cursor_.skip_space();
      if (!cursor_.take_if(":")) return refuse("expected ':' after a key");
      HEARTH_TRY(item, value(depth + 1));
      document_.nodes[index].items.insert(document_.nodes[index].items.end(), {key, item});
      cursor_.skip_space();
      if (cursor_.take_if("}")) return index;
      if (!cursor_.take_if(",")) return refuse("expected ',' or '}'");
    }
  }

  Result<std::size_t> sequence(std::size_t depth) {
    HEARTH_TRY(index, add(YamlNode::Kind::kSequence));
    cursor_.take();
    cursor_.skip_space();
    if (cursor_.take_if("]")) return index;
    while (true) {
      HEARTH_TRY(item, value(depth + 1));
      document_.nodes[index].items.push_back(item);
      cursor_.skip_space();
      if (cursor_.take_if("]")) return index;
      if (!cursor_.take_if(",")) return refuse("expected ',' or ']'");
    }
  }

  Result<std::size_t> string() {
    HEARTH_TRY(index, add(YamlNode::Kind::kScalar));
    std::string text;
    cursor_.take();
    while (!cursor_.take_if("\"")) {
      const auto c = static_cast<unsigned char>(cursor_.peek());
      if (cursor_.at_end() || c < 0x20) return refuse("a text has no end");
      if (c != '\\') {
        text.push_back(cursor_.take());
      } else {
        HEARTH_CHECK_OK(escape(text));
      }
    }
    document_.nodes[index].text = std::move(text);
    return index;
  }

  Status escape(std::string& text) {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (cursor_.rest().starts_with("\\u")) return escaped_unit(text);
    cursor_.take();
    const auto which = cursor_.at_end() ? kLetters.npos : kLetters.find(cursor_.peek());
    if (which == kLetters.npos) return refuse("an escape that JSON does not have");
    cursor_.take();
    text.push_back(kMeanings[which]);
    return {};
  }

  // \uXXXX, two of them for what is beyond 16 bits.
  Status escaped_unit(std::string& text) {
    const auto first = unit();
    if (!first) return refuse("\\u needs four hexadecimal digits");
    char32_t c = *first;
    if (is_high_surrogate(c)) {
      const Cursor before = cursor_;
      const auto second = unit();
      if (second && is_low_surrogate(*second))
        c = 0x10000 + ((c - 0xD800) << 10) + (*second - 0xDC00);
      else
        cursor_ = before;
    }
    append_utf8(text, is_high_surrogate(c) || is_low_surrogate(c) ? kReplacement : c);
    return {};
  }

  std::optional<char32_t> unit() {
    const std::string_view rest = cursor_.rest();
    if (!rest.starts_with("\\u") || rest.size() < 6) return std::nullopt;
    const auto number = parse_int<std::uint16_t>(rest.substr(2, 4), 16);
    if (number) cursor_.take_if(rest.substr(0, 6));
    return number ? std::optional<char32_t>(*number) : std::nullopt;
  }

  Result<std::size_t> literal() {
    HEARTH_TRY(index, add(YamlNode::Kind::kScalar));
    const std::string_view begin = cursor_.rest();
    const bool word =
        cursor_.take_if("true") || cursor_.take_if("false") || cursor_.take_if("null");
    if (!word && !number()) return refuse("expected a value");
    YamlNode& node = document_.nodes[index];
    node.plain = true;
    node.text = begin.substr(0, begin.size() - cursor_.rest().size());
    // In YAML it would be a text.
    if (!word && !plain_scalar(node.text).is_number()) {
      return refuse("a number that is too large", node.at);
    }
    return index;
  }

  bool number() {
    cursor_.take_if("-");
    if (!cursor_.take_if("0") && !digits()) return false;
    if (cursor_.take_if(".") && !digits()) return false;
    if (!cursor_.take_if("e") && !cursor_.take_if("E")) return true;
    if (!cursor_.take_if("+")) cursor_.take_if("-");
    return digits();
  }

  bool digits() {
    if (!is_digit(cursor_.peek())) return false;
    while (is_digit(cursor_.peek())) cursor_.take();
    return true;
  }

  Result<std::size_t> add(YamlNode::Kind kind) {
    if (++nodes_ > limits::kYamlNodesMax) return refuse("it has too many nodes");
    document_.nodes.push_back(
        {.kind = kind, .plain = false, .text = {}, .at = cursor_.at(), .items = {}});
    return document_.nodes.size() - 1;
  }

  std::unexpected<Error> refuse(std::string_view why) const { return refuse(why, cursor_.at()); }

  std::unexpected<Error> refuse(std::string_view why, TextPosition at) const {
    return fail(invalid(why, at, origin_));
  }

  Cursor cursor_;
  std::string_view origin_;
  YamlDocument document_;
  std::size_t nodes_ = 0;
};

}  // namespace

Result<std::vector<YamlDocument>> parse_json_nodes(std::string_view text, std::string_view origin) {
  if (!is_valid_utf8(text)) {
    return fail(invalid("it is no UTF-8", first_non_utf8(text), origin));
  }
  return JsonReader(text, origin).run();
}

}  // namespace hearth::base
