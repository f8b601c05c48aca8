// Label and field selectors with Kubernetes' grammar.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "platform/base/json.h"

namespace hearth::resource {

class LabelSelector {
 public:
  // "a=b,c!=d,e in (x,y),f notin (z),g,!h,i>1"; empty matches all. Errors are kBadRequest.
  static Result<LabelSelector> parse(std::string_view text);
  bool matches(const Json& object) const;
  bool empty() const { return requirements_.empty(); }

 private:
  enum class Operator { kIn, kNotIn, kExists, kMissing, kGreater, kLess };
  struct Requirement {
    std::string key;
    Operator op = Operator::kExists;
    std::vector<std::string> values;
  };
  static Result<Requirement> parse_requirement(std::string_view text);
  static bool matches(const Requirement& requirement, const Json* labels);
  std::vector<Requirement> requirements_;
};

class FieldSelector {
 public:
  // "metadata.name=x,status.phase!=Running". The caller checks which fields a kind supports.
  static Result<FieldSelector> parse(std::string_view text);
  bool matches(const Json& object) const;
  bool empty() const { return terms_.empty(); }
  std::vector<std::string> fields() const;
  // The value that metadata.name must have, when the selector demands one.
  std::string required_name() const;

 private:
  struct Term {
    std::string field;
    std::string value;
    bool negated = false;
  };
  std::vector<Term> terms_;
};

// The text of a dotted field ("spec.nodeName"), "" when absent.
std::string field_text(const Json& object, std::string_view dotted);

}  // namespace hearth::resource
