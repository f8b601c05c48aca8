// What `kubectl get` shows of the built-in kinds, as a real API server's printers do it. Custom
// kinds bring their own columns.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "platform/base/clock.h"
#include "platform/resource/definition.h"

namespace hearth::apiserver {

struct BuiltInColumn {
  resource::PrinterColumn column;
  std::function<Json(const Json& object, base::WallTime now)> cell;
};

// Without the name, which every kind has first. Only the age for kinds that have no more.
const std::vector<BuiltInColumn>& built_in_columns(const resource::Definition& definition);

// The time since an RFC 3339 timestamp, as people read it: "5m", "3d"; "<unknown>" when it is none.
std::string age_of(const std::string& timestamp, base::WallTime now);

}  // namespace hearth::apiserver
