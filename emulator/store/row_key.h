// The key of an object's row: its collection and its name.
#pragma once

#include <compare>
#include <string>

#include "platform/resource/object.h"

namespace hearth::store {

struct RowKey {
  std::string group;
  std::string plural;
  resource::ObjectKey key;

  auto operator<=>(const RowKey&) const = default;
};

}  // namespace hearth::store
