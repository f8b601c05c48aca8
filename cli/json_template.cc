#include "cli/json_template.h"

#include <vector>

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::cli {
namespace {

using Matches = std::vector<const Json*>;

Error malformed(std::string_view what) {
  return {Code::kBadRequest, fmt::format("malformed jsonpath: {}", what), {}};
}

std::string unquoted(std::string_view text) {
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'')) {
    return std::string(text.substr(1, text.size() - 2));
  }
  return std::string(text);
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : base::dump_json(value);
}

Matches children(const Matches& at) {
  Matches out;
  for (const Json* value : at) {
    if (!value->is_structured()) continue;
    for (const Json& child : *value) out.push_back(&child);
  }
  return out;
}

Matches member(const Matches& at, const std::string& name) {
  Matches out;
  for (const Json* value : at) {
    if (const Json* found = base::find(*value, {name})) out.push_back(found);
  }
  return out;
}

// ?(@.a.b=="c") keeps the elements whose field has the value.
Matches filtered(const Matches& at, std::string_view expression) {
  Matches out;
  const auto equals = expression.find("==");
  const std::string value =
      equals == expression.npos ? "" : unquoted(base::trim(expression.substr(equals + 2)));
  std::string_view path = base::trim(expression.substr(0, equals));
  if (path.starts_with("@.")) path.remove_prefix(2);
  for (const Json* element : children(at)) {
    const Json* field = element;
    for (const std::string_view step : base::split(path, '.')) {
      if (field != nullptr) field = base::find(*field, {step});
    }
    if (field != nullptr && (equals == expression.npos || text_of(*field) == value)) {
      out.push_back(element);
    }
  }
  return out;
}

Matches bracket(const Matches& at, std::string_view inside) {
  if (inside == "*") return children(at);
  if (inside.starts_with("?(") && inside.ends_with(')')) {
    return filtered(at, inside.substr(2, inside.size() - 3));
  }
  auto index = base::parse_int<std::int64_t>(inside);
  if (!index) return member(at, unquoted(inside));
  Matches out;
  for (const Json* value : at) {
    if (!value->is_array()) continue;
    const auto size = static_cast<std::int64_t>(value->size());
    const std::int64_t position = *index < 0 ? size + *index : *index;
    if (position >= 0 && position < size) out.push_back(&(*value)[position]);
  }
  return out;
}

Result<Matches> evaluate(std::string_view path, const Json& root) {
  Matches at{&root};
  if (path.starts_with('$') || path.starts_with('@')) path.remove_prefix(1);
  while (!path.empty()) {
    if (path.front() == '[') {
      const auto end = path.find(']');
      if (end == path.npos) return fail(malformed("a [ is not closed"));
      at = bracket(at, path.substr(1, end - 1));
      path.remove_prefix(end + 1);
      continue;
    }
    if (path.front() == '.') path.remove_prefix(1);
    std::string name;
    while (!path.empty() && path.front() != '.' && path.front() != '[') {
      // "\." is a dot that belongs to the name: labels have them.
      if (path.front() == '\\' && path.size() > 1) path.remove_prefix(1);
      name.push_back(path.front());
      path.remove_prefix(1);
    }
    if (!name.empty()) at = name == "*" ? children(at) : member(at, name);
  }
  return at;
}

std::string unescaped(std::string_view literal) {
  std::string text(literal.substr(1, literal.size() - 2));
  text = base::replace_all(std::move(text), "\\n", "\n");
  return base::replace_all(std::move(text), "\\t", "\t");
}

struct Piece {
  bool is_expression = false;
  std::string text;
};

Result<std::vector<Piece>> pieces_of(std::string_view text) {
  std::vector<Piece> out;
  while (!text.empty()) {
    const auto open = text.find('{');
    if (open != 0) out.push_back({false, std::string(text.substr(0, open))});
    if (open == text.npos) break;
    const auto close = text.find('}', open);
    if (close == text.npos) return fail(malformed("a { is not closed"));
    out.push_back({true, std::string(base::trim(text.substr(open + 1, close - open - 1)))});
    text.remove_prefix(close + 1);
  }
  return out;
}

class Renderer {
 public:
  explicit Renderer(std::vector<Piece> pieces) : pieces_(std::move(pieces)) {}

  // From piece `at` to the {end} of this level or the end; returns where it stopped.
  Result<std::size_t> render(std::size_t at, const Json& root, std::string& out) {
    for (; at < pieces_.size(); ++at) {
      const Piece& piece = pieces_[at];
      if (!piece.is_expression) {
        out += piece.text;
      } else if (piece.text == "end") {
        return at;
      } else if (piece.text.starts_with("range ")) {
        HEARTH_TRY(end, repeat(at, root, out));
        at = end;
      } else if (piece.text.starts_with('"') || piece.text.starts_with('\'')) {
        out += unescaped(piece.text);
      } else {
        HEARTH_TRY(matches, evaluate(piece.text, root));
        for (std::size_t i = 0; i < matches.size(); ++i) {
          out += (i == 0 ? "" : " ") + text_of(*matches[i]);
        }
      }
    }
    return at;
  }

 private:
  Result<std::size_t> repeat(std::size_t at, const Json& root, std::string& out) {
    HEARTH_TRY(matches, evaluate(base::trim(pieces_[at].text.substr(6)), root));
    std::string unused;
    // Once without output when there is nothing: to find the {end}.
    std::size_t end = at;
    const Json nothing;
    if (matches.empty()) {
      HEARTH_TRY(stop, render(at + 1, nothing, unused));
      end = stop;
    }
    for (const Json* match : matches) {
      HEARTH_TRY(stop, render(at + 1, *match, out));
      end = stop;
    }
    if (end >= pieces_.size()) return fail(malformed("{range} has no {end}"));
    return end;
  }

  std::vector<Piece> pieces_;
};

}  // namespace

Result<std::string> render_json_template(const std::string& text, const Json& root) {
  HEARTH_TRY(pieces, pieces_of(text.contains('{') ? text : "{" + text + "}"));
  std::string out;
  HEARTH_TRY(end, Renderer(std::move(pieces)).render(0, root, out));
  return out;
}

}  // namespace hearth::cli
