// What the parts of schema.h share: keywords of a schema, which may hold anything, and budgets.
#pragma once

#include <cstddef>

#include "platform/base/json.h"

namespace hearth::resource {

// Null when it is absent or of another type: a keyword of the wrong type says nothing.
inline const Json* keyword(const Json& schema, const char* name, Json::value_t type) {
  const auto it = schema.find(name);
  return it != schema.end() && it->type() == type ? &*it : nullptr;
}

inline bool flag(const Json& schema, const char* name) {
  const Json* found = keyword(schema, name, Json::value_t::boolean);
  return found != nullptr && found->get<bool>();
}

// Work or memory that users may ask for, but not without end. Once spent it stays so.
class Budget {
 public:
  explicit Budget(std::size_t size) : left_(size) {}

  bool take(std::size_t cost) {
    if (cost > left_) spent_ = true;
    if (!spent_) left_ -= cost;
    return !spent_;
  }
  bool spent() const { return spent_; }

 private:
  std::size_t left_;
  bool spent_ = false;
};

}  // namespace hearth::resource
