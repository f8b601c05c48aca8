// Sets of fields of an object, as metadata.managedFields writes them (fieldsV1): a JSON tree whose
// steps are `f:name`, `k:{"key":"value"}` and `v:value`. An empty node belongs to the set, and so
// does a node with the step ".". Pure functions.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "platform/base/json.h"
#include "platform/resource/field_schema.h"

namespace hearth::resource {

using FieldSet = Json;

// kLeaves: what an applied configuration says. kEverything: maps, lists and their items too.
enum class Members { kLeaves, kEverything };
FieldSet fields_of(const FieldSchema& schema, const Json& object, Members members);
// What `next` has and `old` has not, or has otherwise.
FieldSet changed_fields(const FieldSchema& schema, const Json& old, const Json& next);

// Unites them in `set`: costs what `more` holds, however large `set` is.
void add_fields(FieldSet& set, const FieldSet& more);
FieldSet subtract(const FieldSet& a, const FieldSet& b);
FieldSet intersect(const FieldSet& a, const FieldSet& b);

// The members as Kubernetes prints them: `.spec.containers[name="a"].image`. One at least, then as
// many as `bytes_max` of text allow: a long name is repeated in the path of all that lies below it.
std::vector<std::string> paths_of(const FieldSet& set,
                                  std::size_t bytes_max = std::numeric_limits<std::size_t>::max());

// Lays `applied` over `live`: maps and keyed lists merge, all else is replaced.
Json merge_fields(const FieldSchema& schema, Json live, const Json& applied);
// Removes from `object` what is in `before` and not in `after`, unless it is in `others`. Under
// metadata only the very members go; elsewhere a map or an item goes as a whole.
void remove_fields(const FieldSchema& schema, Json& object, const FieldSet& before,
                   const FieldSet& after, const FieldSet& others);

}  // namespace hearth::resource
