// Collects what is wrong with an object, in Knative's words: "<problem>: <path>". Pure.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/base/json.h"

namespace hearth::serving {

class FieldErrors {
 public:
  // `paths`: what the message names when it is more than the path.
  void add(std::string path, std::string_view problem, const char* reason = "FieldValueInvalid",
           std::string_view paths = {});
  void missing(std::string path);
  void invalid(std::string path, std::string_view value, std::string_view why = {});
  void out_of_bounds(std::string path, std::string_view min, std::string_view value,
                     std::string_view max);
  // Every member of `object` that is not in `allowed`.
  void refuse_others(const Json& object, std::initializer_list<std::string_view> allowed,
                     const std::string& path);
  // Of the members `names`, in the order of the alphabet as Knative tells them.
  void at_most_one(const Json& object, std::initializer_list<const char*> names,
                   const std::string& path);
  void exactly_one(const Json& object, std::initializer_list<const char*> names,
                   const std::string& path);

  // The member of a type; null or nullopt when it is absent, and when it is something else, which
  // is told. JSON's null is absent, as to Go.
  const Json* object_in(const Json& parent, const char* name, const std::string& path);
  const Json* list_in(const Json& parent, const char* name, const std::string& path);
  std::optional<std::string> text_in(const Json& parent, const char* name, const std::string& path);
  std::optional<bool> bool_in(const Json& parent, const char* name, const std::string& path);
  std::optional<std::int64_t> integer_in(const Json& parent, const char* name,
                                         const std::string& path, std::int64_t min,
                                         std::int64_t max);
  // Told as missing when it is absent or empty.
  std::string required_text_in(const Json& parent, const char* name, const std::string& path);
  // The elements that are objects, with their paths; what else there is gets refused.
  std::vector<std::pair<const Json*, std::string>> objects_of(const Json* list,
                                                              const std::string& path);

  bool empty() const { return errors_.empty(); }
  std::vector<FieldError> take() { return std::move(errors_); }

 private:
  const Json* typed(const Json& parent, const char* name, const std::string& path,
                    bool (*fits)(const Json&), std::string_view wanted);

  std::vector<FieldError> errors_;
};

// A value within a message: scalars as JSON, shortened; else its type.
std::string shown(const Json& value);
// Text as Knative tells it: without quotes, shortened.
std::string shown_bare(std::string_view text);

}  // namespace hearth::serving
