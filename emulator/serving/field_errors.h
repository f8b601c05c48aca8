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
  // Every member of `object` that is not in `allowed`.
  void refuse_others(const Json& object, std::initializer_list<std::string_view> allowed,
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

  bool empty() const { return errors_.empty(); }
  std::vector<FieldError> take() { return std::move(errors_); }

 private:
  const Json* typed(const Json& parent, const char* name, const std::string& path,
                    bool (*fits)(const Json&), std::string_view wanted);

  std::vector<FieldError> errors_;
};

// A value within a message: scalars as JSON, shortened; else its type.
std::string shown(const Json& value);

}  // namespace hearth::serving
