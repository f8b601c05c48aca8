#include "platform/resource/selector.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::resource {
namespace {

// Splits at commas that are not inside parentheses.
std::vector<std::string_view> split_requirements(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t start = 0;
  int depth = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      parts.push_back(base::trim(text.substr(start, i - start)));
      start = i + 1;
    } else if (text[i] == '(') {
      ++depth;
    } else if (text[i] == ')') {
      --depth;
    }
  }
  return parts;
}

bool is_label_key(std::string_view key) {
  return !key.empty() && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '/';
  });
}

std::vector<std::string> parse_set(std::string_view text) {
  std::vector<std::string> values;
  for (const std::string_view part : base::split(text, ',')) values.emplace_back(base::trim(part));
  return values;
}

}  // namespace

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  LabelSelector selector;
  text = base::trim(text);
  if (text.empty()) return selector;
  for (const std::string_view part : split_requirements(text)) {
    HEARTH_TRY(requirement, parse_requirement(part));
    selector.requirements_.push_back(std::move(requirement));
  }
  return selector;
}

Result<LabelSelector::Requirement> LabelSelector::parse_requirement(std::string_view text) {
  const auto bad = [&] {
    return fail(Code::kBadRequest, fmt::format("unable to parse requirement: \"{}\"", text));
  };
  Requirement out;
  if (text.starts_with('!')) {
    out = {std::string(base::trim(text.substr(1))), Operator::kMissing, {}};
  } else if (const auto open = text.find('('); open != text.npos) {
    const auto words = base::split(base::trim(text.substr(0, open)), ' ');
    if (words.size() < 2 || !text.ends_with(')')) return bad();
    if (words.back() != "in" && words.back() != "notin") return bad();
    out = {std::string(words.front()), words.back() == "in" ? Operator::kIn : Operator::kNotIn,
           parse_set(text.substr(open + 1, text.size() - open - 2))};
  } else if (const auto at = text.find_first_of("=!<>"); at != text.npos) {
    std::size_t length = 1;
    if (text.substr(at).starts_with("==") || text.substr(at).starts_with("!=")) length = 2;
    if (text[at] == '!' && length == 1) return bad();
    const Operator op = text[at] == '!'   ? Operator::kNotIn
                        : text[at] == '>' ? Operator::kGreater
                        : text[at] == '<' ? Operator::kLess
                                          : Operator::kIn;
    out = {std::string(base::trim(text.substr(0, at))),
           op,
           {std::string(base::trim(text.substr(at + length)))}};
  } else {
    out = {std::string(text), Operator::kExists, {}};
  }
  if (!is_label_key(out.key)) return bad();
  return out;
}

bool LabelSelector::matches(const Requirement& requirement, const Json* labels) {
  const Json* value = labels != nullptr ? base::find(*labels, {requirement.key}) : nullptr;
  const bool exists = value != nullptr && value->is_string();
  const auto is_in = [&] {
    return std::ranges::find(requirement.values, value->get_ref<const std::string&>()) !=
           requirement.values.end();
  };
  switch (requirement.op) {
    case Operator::kExists:
      return exists;
    case Operator::kMissing:
      return !exists;
    case Operator::kIn:
      return exists && is_in();
    case Operator::kNotIn:
      return !exists || !is_in();
    case Operator::kGreater:
    case Operator::kLess: {
      if (!exists) return false;
      const auto left = base::parse_int<std::int64_t>(value->get_ref<const std::string&>());
      const auto right = base::parse_int<std::int64_t>(requirement.values.front());
      if (!left || !right) return false;
      return requirement.op == Operator::kGreater ? *left > *right : *left < *right;
    }
  }
  return false;
}

bool LabelSelector::matches(const Json& object) const {
  if (requirements_.empty()) return true;
  const Json* labels = base::find(object, {"metadata", "labels"});
  return std::ranges::all_of(requirements_,
                             [&](const Requirement& r) { return matches(r, labels); });
}

Result<FieldSelector> FieldSelector::parse(std::string_view text) {
  FieldSelector selector;
  text = base::trim(text);
  if (text.empty()) return selector;
  for (const std::string_view part : base::split(text, ',')) {
    const auto at = part.find_first_of("=!");
    if (at == part.npos || at == 0) {
      return fail(Code::kBadRequest,
                  fmt::format("invalid selector: '{}'; can't understand '{}'", text, part));
    }
    const bool negated = part[at] == '!';
    const bool two = part.substr(at).starts_with("==") || negated;
    selector.terms_.push_back({std::string(base::trim(part.substr(0, at))),
                               std::string(base::trim(part.substr(at + (two ? 2 : 1)))), negated});
  }
  return selector;
}

bool FieldSelector::matches(const Json& object) const {
  return std::ranges::all_of(terms_, [&](const Term& term) {
    return (field_text(object, term.field) == term.value) != term.negated;
  });
}

std::vector<std::string> FieldSelector::fields() const {
  std::vector<std::string> out;
  out.reserve(terms_.size());
  for (const Term& term : terms_) out.push_back(term.field);
  return out;
}

std::string FieldSelector::required_name() const {
  for (const Term& term : terms_) {
    if (term.field == "metadata.name" && !term.negated) return term.value;
  }
  return {};
}

std::string field_text(const Json& object, std::string_view dotted) {
  const Json* at = &object;
  for (const std::string_view step : base::split(dotted, '.')) {
    if (!at->is_object()) return {};
    const auto it = at->find(step);
    if (it == at->end()) return {};
    at = &*it;
  }
  if (at->is_string()) return at->get<std::string>();
  return at->is_null() || at->is_structured() ? std::string() : at->dump();
}

}  // namespace hearth::resource
