// Who owns which fields of an object: metadata.managedFields, and server-side apply on top of it.
// Pure functions; they run on the store's writer thread.
//
// An entry is known by manager, operation, apiVersion and subresource. Controllers of the house
// write without a manager and own nothing.
#pragma once

#include <string>

#include "platform/base/clock.h"
#include "platform/resource/definition.h"

namespace hearth::resource {

struct FieldManager {
  std::string name;
  std::string api_version;
  std::string subresource;  // "status" or empty
};

// The managedFields of an object that `manager` has just created by other means than apply.
Json managed_at_creation(const Definition& definition, const Json& object,
                         const FieldManager& manager, base::WallTime now);

// The managedFields after `manager` made `next` of `old`: what changed is the manager's and nobody
// else's. `offered` is what the writer sent: none (null) leaves those of `old`; an empty list, or
// one of an empty entry, starts anew. Objects without managedFields stay without.
Json managed_after_update(const Definition& definition, const Json& old, const Json& next,
                          const Json& offered, const FieldManager& manager, base::WallTime now);

struct AppliedConfiguration {
  Json object;   // the live object with the configuration laid over it
  Json managed;  // as before the write, without what a forced apply took from others
};

// Refuses what can't be applied and drops what an applied configuration doesn't own: nulls,
// identity, the other side of the status subresource. kBadRequest.
Result<Json> applied_configuration(const Definition& definition, Json body,
                                   const FieldManager& manager);
// kConflict with a field error (reason FieldManagerConflict) for each field that others own and
// that would change, unless `force`.
Result<AppliedConfiguration> apply_configuration(const Definition& definition, const Json& live,
                                                 const Json& configuration,
                                                 const FieldManager& manager, bool force,
                                                 base::WallTime now);
// The managedFields of what was stored of an applied configuration. `before`:
// AppliedConfiguration::managed, or an empty list at creation.
Json managed_after_apply(const Definition& definition, const Json& object,
                         const Json& configuration, const Json& before, const FieldManager& manager,
                         base::WallTime now);

// Equal but for the times of their entries.
bool same_managers(const Json& a, const Json& b);

}  // namespace hearth::resource
