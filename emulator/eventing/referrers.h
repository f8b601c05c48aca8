// Who names what: an object that comes or goes wakes those that name it and nobody else. Asking all
// triggers at each change of a Service would cost the square of their number.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "platform/resource/object.h"

namespace hearth::eventing {

class Referrers {
 public:
  // `named` replaces what `who` named before. Kinds don't count: one too many is woken at most.
  void put(const resource::ObjectKey& who, std::vector<resource::ObjectKey> named);
  void erase(const resource::ObjectKey& who);
  std::vector<resource::ObjectKey> of(const resource::ObjectKey& named) const;

 private:
  std::map<resource::ObjectKey, std::vector<resource::ObjectKey>> named_by_;
  std::set<std::pair<resource::ObjectKey, resource::ObjectKey>> pairs_;  // what is named, by whom
};

}  // namespace hearth::eventing
