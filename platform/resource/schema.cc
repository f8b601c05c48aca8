#include "platform/resource/schema.h"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <ctime>
#include <utility>

#include <fmt/format.h>
#include <re2/re2.h>

#include "platform/base/beginning.h"
#include "platform/base/text.h"
#include "platform/resource/formats.h"
#include "platform/resource/schema_keywords.h"
#include "platform/resource/schema_patterns.h"

namespace hearth::resource {
namespace {

// Nobody mends more at once, and an answer has to stay small.
constexpr std::size_t kErrorsMax = 50;
constexpr std::size_t kUnknownMax = 100;
constexpr std::size_t kPathBytesMax = 1024;
constexpr std::size_t kShownBytesMax = 128;
constexpr std::size_t kPatternShownBytesMax = 1024;
constexpr std::size_t kOptionsShownMax = 20;
// Of those that could be meant; more of them, or longer ones, nobody guesses.
constexpr std::size_t kCandidatesMax = 200;
constexpr std::size_t kCandidateBytesMax = 64;

// A schema and a value that an API takes can cost the product of their sizes. One unit is what a
// step of RE2's slowest engine takes; all together some three seconds.
constexpr std::size_t kWorkMax = 500'000'000;
constexpr std::size_t kCheckWork = 64;
constexpr std::size_t kOptionWork = 4;    // to compare a value with one of an enum
constexpr std::size_t kCompileWork = 64;  // for each instruction
// Which engine a match takes is known only afterwards: short ones are counted as if it were the
// slowest, of others the processor's time. One that could take seconds is not begun.
constexpr std::size_t kCountedMatchWorkMax = 50'000;
constexpr std::size_t kMatchWorkMax = kWorkMax / 2;
constexpr std::size_t kNanosecondsPerWork = 5;
constexpr std::size_t kFailedCompileWork = 2'000'000;

// Of the processor's time that this thread had.
std::size_t thread_nanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<std::size_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::size_t>(now.tv_nsec);
}

// Where a value is, as links up to the root: most are right, and nobody reads their path.
class Place {
 public:
  Place() = default;
  // `name` has to outlive it.
  Place field(std::string_view name) const { return Place(this, name, 0); }
  Place item(std::size_t index) const { return Place(this, {}, index); }

  // "spec.a[0].b", or its beginning.
  std::string text() const {
    std::string out;
    append_to(out);
    return base::beginning_of(out, kPathBytesMax);
  }

 private:
  Place(const Place* parent, std::string_view name, std::size_t index)
      : parent_(parent), name_(name), index_(index) {}

  void append_to(std::string& out) const {
    if (parent_ == nullptr) return;
    parent_->append_to(out);
    if (name_.data() == nullptr) {
      out += fmt::format("[{}]", index_);
    } else {
      if (!out.empty()) out += '.';
      out += name_;
    }
  }

  const Place* parent_ = nullptr;
  std::string_view name_;  // null for an item of a list
  std::size_t index_ = 0;
};

const Json* object_at(const Json& schema, const char* name) {
  return keyword(schema, name, Json::value_t::object);
}

// Null for an empty one too: a rule of no parts rules nothing, as to an API server.
const Json* list_at(const Json& schema, const char* name) {
  const Json* list = keyword(schema, name, Json::value_t::array);
  return list == nullptr || list->empty() ? nullptr : list;
}

const std::string* text_at(const Json& schema, const char* name) {
  const Json* text = keyword(schema, name, Json::value_t::string);
  return text == nullptr ? nullptr : text->get_ptr<const std::string*>();
}

const Json* number_at(const Json& schema, const char* name) {
  const auto it = schema.find(name);
  return it != schema.end() && it->is_number() ? &*it : nullptr;
}

// The beginning of a value, as JSON.
std::string shown(const Json& value) {
  return base::beginning_of(base::dump_json(value), kShownBytesMax);
}
std::string shown(const std::string& text) {
  return base::dump_json(base::beginning_of(text, kShownBytesMax));
}

std::string type_name(const Json& value) {
  switch (value.type()) {
    case Json::value_t::object:
      return "object";
    case Json::value_t::array:
      return "array";
    case Json::value_t::string:
      return "string";
    case Json::value_t::boolean:
      return "boolean";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return "integer";
    case Json::value_t::number_float:
      return "number";
    default:
      return "null";
  }
}

bool type_fits(const std::string& wanted, const Json& value) {
  const std::string actual = type_name(value);
  if (actual == wanted) return true;
  if (wanted == "number" && actual == "integer") return true;
  // 3.0 is an integer for JSON Schema; 1e300 is none that anything could hold.
  if (wanted != "integer" || actual != "number") return false;
  const double number = value.get<double>();
  return std::abs(number) < 9.2e18 && std::trunc(number) == number;
}

PatternCache::Found find_pattern(const std::string& pattern) {
  static PatternCache cache;
  return cache.find(pattern);
}

std::size_t utf8_length(const std::string& text) {
  std::size_t length = 0;
  for (const char c : text) length += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return length;
}

std::string unsupported_value(const Json& allowed, const Json& value) {
  std::vector<std::string> options;
  for (const Json& option : allowed) {
    if (options.size() == kOptionsShownMax) break;
    options.push_back(shown(option));
  }
  std::string message = fmt::format("Unsupported value: {}: supported values: {}", shown(value),
                                    base::join(options, ", "));
  if (allowed.size() > options.size()) {
    message += fmt::format(", … {} more", allowed.size() - options.size());
  }
  const auto is_short = [](const Json& text) {
    return text.is_string() && text.get_ref<const std::string&>().size() <= kCandidateBytesMax;
  };
  if (!is_short(value)) return message;
  std::vector<std::string> candidates;
  for (const Json& option : allowed) {
    if (candidates.size() == kCandidatesMax) break;
    if (is_short(option)) candidates.push_back(base::dump_json(option));
  }
  if (const auto near = base::nearest(base::dump_json(value), candidates)) {
    message += fmt::format(" (did you mean {}?)", *near);
  }
  return message;
}

class Validator {
 public:
  // A probe stops at the first error and doesn't say what it is.
  enum class Mode { kReport, kProbe };

  Validator(Mode mode, Budget& work) : mode_(mode), work_(work) {}

  std::vector<FieldError> errors;

  void check(const Json& schema, const Json& value, const Place& place) {
    if (is_done() || !work_.take(kCheckWork)) return;
    if (!schema.is_object()) return;
    if (value.is_null()) {
      const bool typed = text_at(schema, "type") != nullptr;
      if (typed && !flag(schema, "nullable")) type_error(schema, value, place);
      return;
    }
    if (!check_type(schema, value, place)) return;
    check_enum(schema, value, place);
    if (value.is_string()) check_string(schema, value.get_ref<const std::string&>(), place);
    if (value.is_number()) check_number(schema, value, place);
    if (value.is_array()) check_array(schema, value, place);
    if (value.is_object()) check_object(schema, value, place);
    check_combinations(schema, value, place);
  }

 private:
  bool is_done() const { return errors.size() >= (mode_ == Mode::kProbe ? 1 : kErrorsMax); }

  // `message` makes the text, from the path.
  template <std::invocable<const std::string&> Message>
  void add(const Place& place, const char* reason, const Message& message) {
    if (is_done()) return;
    errors.emplace_back();
    if (mode_ == Mode::kProbe) return;
    std::string path = place.text();
    std::string text = message(path);
    errors.back() = {std::move(path), reason, std::move(text)};
  }

  void type_error(const Json& schema, const Json& value, const Place& place) {
    add(place, "FieldValueTypeInvalid", [&](const std::string& path) {
      return fmt::format("Invalid value: \"{0}\": {1} in body must be of type {2}: \"{0}\"",
                         type_name(value), path,
                         base::beginning_of(base::string_at(schema, {"type"}), kShownBytesMax));
    });
  }

  bool check_type(const Json& schema, const Json& value, const Place& place) {
    if (flag(schema, "x-kubernetes-int-or-string")) {
      if (value.is_string() || value.is_number_integer()) return true;
      add(place, "FieldValueTypeInvalid", [](const std::string&) -> std::string {
        return "Invalid value: must be an integer or a string";
      });
      return false;
    }
    const std::string* type = text_at(schema, "type");
    if (type == nullptr || type_fits(*type, value)) return true;
    type_error(schema, value, place);
    return false;
  }

  void check_enum(const Json& schema, const Json& value, const Place& place) {
    const Json* allowed = list_at(schema, "enum");
    if (allowed == nullptr || !work_.take(allowed->size() * kOptionWork)) return;
    if (std::ranges::find(*allowed, value) != allowed->end()) return;
    add(place, "FieldValueNotSupported",
        [&](const std::string&) { return unsupported_value(*allowed, value); });
  }

  void check_string(const Json& schema, const std::string& text, const Place& place) {
    if (!work_.take(text.size())) return;
    const std::size_t length = utf8_length(text);
    if (const auto max = base::int_at(schema, {"maxLength"});
        max && std::cmp_greater(length, *max)) {
      add(place, "FieldValueTooLong", [&](const std::string&) {
        return fmt::format("Too long: may not be longer than {}", *max);
      });
    }
    if (const auto min = base::int_at(schema, {"minLength"}); min && std::cmp_less(length, *min)) {
      add(place, "FieldValueInvalid", [&](const std::string& path) {
        return fmt::format("Invalid value: \"{}\": {} in body should be at least {} chars long",
                           base::beginning_of(text, kShownBytesMax), path, *min);
      });
    }
    const std::string* format = text_at(schema, "format");
    if (format != nullptr && !format_fits(*format, text)) {
      add(place, "FieldValueInvalid", [&](const std::string& path) {
        return fmt::format("Invalid value: {}: {} in body must be of type {}", shown(text), path,
                           *format);
      });
    }
    check_pattern(schema, text, place);
  }

  // A pattern that does not compile can't judge: it passes (the CRD was stored with it).
  void check_pattern(const Json& schema, const std::string& text, const Place& place) {
    const std::string* pattern = text_at(schema, "pattern");
    if (pattern == nullptr) return;
    const auto [compiled, is_new] = find_pattern(*pattern);
    if (compiled == nullptr) {
      (void)work_.take(is_new ? kFailedCompileWork : 0);
      return;
    }
    const auto instructions = static_cast<std::size_t>(compiled->ProgramSize());
    if (is_new && !work_.take(instructions * kCompileWork)) return;
    if (matches(text, *compiled, instructions * text.size()) || work_.spent()) return;
    add(place, "FieldValueInvalid", [&](const std::string& path) {
      return fmt::format("Invalid value: {}: {} in body should match '{}'", shown(text), path,
                         base::beginning_of(*pattern, kPatternShownBytesMax));
    });
  }

  bool matches(const std::string& text, const re2::RE2& pattern, std::size_t most_work) {
    if (most_work > kMatchWorkMax) return work_.take(kWorkMax + 1);
    if (most_work <= kCountedMatchWorkMax) {
      return work_.take(most_work) && re2::RE2::PartialMatch(text, pattern);
    }
    const std::size_t begin = thread_nanoseconds();
    const bool found = re2::RE2::PartialMatch(text, pattern);
    return work_.take((thread_nanoseconds() - begin) / kNanosecondsPerWork) && found;
  }

  void check_number(const Json& schema, const Json& value, const Place& place) {
    const double number = value.get<double>();
    const Json* min = number_at(schema, "minimum");
    if (min != nullptr && number < min->get<double>()) {
      add(place, "FieldValueInvalid", [&](const std::string& path) {
        return fmt::format("Invalid value: {}: {} in body should be greater than or equal to {}",
                           value.dump(), path, min->dump());
      });
    }
    const Json* max = number_at(schema, "maximum");
    if (max != nullptr && number > max->get<double>()) {
      add(place, "FieldValueInvalid", [&](const std::string& path) {
        return fmt::format("Invalid value: {}: {} in body should be less than or equal to {}",
                           value.dump(), path, max->dump());
      });
    }
  }

  void check_array(const Json& schema, const Json& value, const Place& place) {
    if (const auto max = base::int_at(schema, {"maxItems"});
        max && std::cmp_greater(value.size(), *max)) {
      add(place, "FieldValueTooMany", [&](const std::string&) {
        return fmt::format("Too many: {}: must have at most {} items", value.size(), *max);
      });
    }
    if (const auto min = base::int_at(schema, {"minItems"});
        min && std::cmp_less(value.size(), *min)) {
      add(place, "FieldValueInvalid", [&](const std::string&) {
        return fmt::format("Invalid value: {}: must have at least {} items", value.size(), *min);
      });
    }
    const Json* items = object_at(schema, "items");
    if (items == nullptr) return;
    for (std::size_t i = 0; i < value.size() && !is_done(); ++i) {
      check(*items, value[i], place.item(i));
    }
  }

  void check_object(const Json& schema, const Json& value, const Place& place) {
    if (const Json* required = list_at(schema, "required")) {
      if (!work_.take(required->size())) return;
      for (const Json& name : *required) {
        if (!name.is_string() || value.contains(name.get_ref<const std::string&>())) continue;
        add(place.field(name.get_ref<const std::string&>()), "FieldValueRequired",
            [](const std::string&) -> std::string { return "Required value"; });
      }
    }
    const Json* properties = object_at(schema, "properties");
    const Json* additional = object_at(schema, "additionalProperties");
    for (const auto& [name, item] : value.items()) {
      const Json* field = properties != nullptr ? base::find(*properties, {name}) : nullptr;
      if (field == nullptr) field = additional;
      if (field != nullptr) check(*field, item, place.field(name));
    }
  }

  bool passes(const Json& schema, const Json& value) {
    Validator probe(Mode::kProbe, work_);
    probe.check(schema, value, Place());
    return probe.errors.empty();
  }

  // How many of the schemas take the value; looks no further than for `enough`.
  std::size_t count_passing(const Json& schemas, const Json& value, std::size_t enough) {
    std::size_t count = 0;
    for (const Json& schema : schemas) {
      if (passes(schema, value) && ++count == enough) break;
    }
    return count;
  }

  void check_combinations(const Json& schema, const Json& value, const Place& place) {
    if (const Json* all = list_at(schema, "allOf")) {
      for (const Json& part : *all) check(part, value, place);
    }
    const Json* any = list_at(schema, "anyOf");
    if (any != nullptr && count_passing(*any, value, 1) == 0) {
      add(place, "FieldValueInvalid", [](const std::string&) -> std::string {
        return "Invalid value: must validate at least one schema (anyOf)";
      });
    }
    const Json* one = list_at(schema, "oneOf");
    if (one != nullptr && count_passing(*one, value, 2) != 1) {
      add(place, "FieldValueInvalid", [](const std::string&) -> std::string {
        return "Invalid value: must validate one and only one schema (oneOf)";
      });
    }
    const Json* no = object_at(schema, "not");
    if (no != nullptr && passes(*no, value)) {
      add(place, "FieldValueInvalid", [&](const std::string&) {
        return fmt::format("Invalid value: {}: must not validate the schema (not)", shown(value));
      });
    }
  }

  Mode mode_;
  Budget& work_;
};

class Pruner {
 public:
  std::vector<std::string> unknown;

  void prune(const Json& schema, Json& value, const Place& place, bool top) {
    if (!schema.is_object()) return;
    if (value.is_object()) prune_object(schema, value, place, top);
    const Json* items = object_at(schema, "items");
    if (items == nullptr || !value.is_array()) return;
    for (std::size_t i = 0; i < value.size(); ++i) prune(*items, value[i], place.item(i), false);
  }

 private:
  void prune_object(const Json& schema, Json& value, const Place& place, bool top) {
    const Json* properties = object_at(schema, "properties");
    const Json* additional = object_at(schema, "additionalProperties");
    const bool open = flag(schema, "x-kubernetes-preserve-unknown-fields") ||
                      flag(schema, "additionalProperties") ||
                      (properties == nullptr && !schema.contains("additionalProperties") &&
                       !schema.contains("type"));
    std::vector<std::string> doomed;
    for (const auto& [name, item] : value.items()) {
      if (top && (name == "apiVersion" || name == "kind" || name == "metadata")) continue;
      const Json* field = properties != nullptr ? base::find(*properties, {name}) : nullptr;
      if (field == nullptr) field = additional;
      if (field != nullptr) {
        prune(*field, item, place.field(name), false);
      } else if (!open) {
        doomed.push_back(name);
      }
    }
    for (const std::string& name : doomed) {
      if (unknown.size() < kUnknownMax) unknown.push_back(place.field(name).text());
      value.erase(name);
    }
  }
};

}  // namespace

std::vector<std::string> prune_unknown(const Json& schema, Json& value) {
  Pruner pruner;
  pruner.prune(schema, value, Place(), true);
  return std::move(pruner.unknown);
}

std::vector<FieldError> validate(const Json& schema, const Json& value) {
  Budget work(kWorkMax);
  Validator validator(Validator::Mode::kReport, work);
  validator.check(schema, value, Place());
  if (!work.spent()) return std::move(validator.errors);
  // The other errors may be of checks that weren't finished.
  return {{"", "FieldValueForbidden",
           "Forbidden: checking it takes too long; it is too large for so large a schema"}};
}

Error invalid_object(std::string_view kind, std::string_view name, std::vector<FieldError> fields) {
  std::vector<std::string> texts;
  texts.reserve(fields.size());
  for (const FieldError& field : fields) {
    texts.push_back(field.field.empty() ? field.message : field.field + ": " + field.message);
  }
  const std::string all = base::join(texts, ", ");
  return Error{Code::kInvalid,
               fmt::format("{} \"{}\" is invalid: {}", kind, name,
                           fields.size() > 1 ? "[" + all + "]" : all),
               std::move(fields)};
}

}  // namespace hearth::resource
