// Which Routes have to do with a revision, or with a configuration: asked for every one that
// changes, so it must not take a look at every Route.
#pragma once

#include <map>
#include <set>
#include <string>

#include "platform/resource/object.h"

namespace hearth::serving {

class RouteIndex {
 public:
  // Replaces what was said of the Route; no names: it is forgotten.
  void set(const resource::ObjectKey& route, const std::set<std::string>& names);
  std::set<resource::ObjectKey> routes_of(const resource::ObjectKey& object) const;

 private:
  std::map<resource::ObjectKey, std::set<std::string>> names_;
  std::map<resource::ObjectKey, std::set<resource::ObjectKey>> routes_;
};

}  // namespace hearth::serving
