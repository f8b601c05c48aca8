#include "platform/resource/managed_fields.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include "platform/resource/field_set.h"

namespace hearth::resource {

using base::string_at;

namespace {

constexpr std::size_t kUpdateEntriesMax = 10;
// Of the conflicts that a refusal names. Each repeats the names above its field, and its manager's.
constexpr std::size_t kConflictBytesMax = 1024 * 1024;
constexpr const char* kAncient = "ancient-changes";
constexpr const char* kApply = "Apply";
constexpr const char* kUpdate = "Update";

FieldSchema schema_of(const Definition& definition) {
  return FieldSchema::of_object(definition.schema.get());
}

// What nobody owns.
void drop_identity(Json& object) {
  object.erase("apiVersion");
  object.erase("kind");
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) return;
  for (const char* field :
       {"name", "namespace", "uid", "selfLink", "creationTimestamp", "generation",
        "resourceVersion", "managedFields", "deletionTimestamp", "deletionGracePeriodSeconds"}) {
    metadata->erase(field);
  }
  if (metadata->empty()) object.erase("metadata");
}

Json without_identity(Json object) {
  drop_identity(object);
  return object;
}

FieldSet all_fields(const Definition& definition, const Json& object) {
  return fields_of(schema_of(definition), without_identity(object), Members::kEverything);
}

FieldSet owned_by(const Json& entry) {
  const Json* fields = base::find(entry, {"fieldsV1"});
  return fields != nullptr && fields->is_object() ? *fields : FieldSet::object();
}

bool is_entry(const Json& entry, const FieldManager& manager, std::string_view operation) {
  return string_at(entry, {"manager"}) == manager.name &&
         string_at(entry, {"operation"}) == operation &&
         string_at(entry, {"apiVersion"}) == manager.api_version &&
         string_at(entry, {"subresource"}) == manager.subresource;
}

Json new_entry(const FieldManager& manager, const char* operation, FieldSet fields,
               base::WallTime now) {
  Json entry{{"manager", manager.name},           {"operation", operation},
             {"apiVersion", manager.api_version}, {"time", base::format_rfc3339(now)},
             {"fieldsType", "FieldsV1"},          {"fieldsV1", std::move(fields)}};
  if (!manager.subresource.empty()) entry["subresource"] = manager.subresource;
  return entry;
}

// A null, empty or emptied list is no list.
Json entries_of(const Json& object) {
  const Json* list = base::find(object, {"metadata", "managedFields"});
  Json out = Json::array();
  if (list == nullptr || !list->is_array()) return out;
  for (const Json& entry : *list) {
    if (entry.is_object() && !entry.empty()) out.push_back(entry);
  }
  return out;
}

// Sets the fields of the manager's entry; its time only when they changed.
void set_entry(Json& entries, const FieldManager& manager, const char* operation, FieldSet fields,
               base::WallTime now) {
  const auto known = std::ranges::find_if(
      entries, [&](const Json& entry) { return is_entry(entry, manager, operation); });
  if (known == entries.end()) {
    if (!fields.empty()) entries.push_back(new_entry(manager, operation, std::move(fields), now));
    return;
  }
  if (fields.empty()) {
    entries.erase(known);
  } else if (owned_by(*known) != fields) {
    *known = new_entry(manager, operation, std::move(fields), now);
  }
}

// Fields that the object no longer has leave every entry; empty entries go.
Json without_gone(const Json& entries, const FieldSet& existing) {
  Json out = Json::array();
  for (const Json& entry : entries) {
    FieldSet left = intersect(owned_by(entry), existing);
    if (left.empty()) continue;
    out.push_back(entry);
    out.back()["fieldsV1"] = std::move(left);
  }
  return out;
}

// More than ten managers that update: the oldest become one.
void bound_updates(Json& entries) {
  const auto updates = std::ranges::count_if(
      entries, [](const Json& entry) { return string_at(entry, {"operation"}) == kUpdate; });
  if (static_cast<std::size_t>(updates) <= kUpdateEntriesMax) return;
  std::size_t surplus = static_cast<std::size_t>(updates) - kUpdateEntriesMax + 1;
  Json ancient;
  FieldSet united = FieldSet::object();
  Json out = Json::array();
  for (Json& entry : entries) {
    if (surplus == 0 || string_at(entry, {"operation"}) != kUpdate) {
      out.push_back(std::move(entry));
      continue;
    }
    --surplus;
    add_fields(united, owned_by(entry));
    if (ancient.is_null()) {
      ancient = std::move(entry);
      ancient["manager"] = kAncient;
    }
  }
  if (!ancient.is_null()) {
    ancient["fieldsV1"] = std::move(united);
    out.push_back(std::move(ancient));
  }
  entries = std::move(out);
}

void sort_entries(Json& entries) {
  const auto order = [](const Json& entry) {
    return std::tuple(string_at(entry, {"operation"}) != kApply, string_at(entry, {"time"}),
                      string_at(entry, {"manager"}), string_at(entry, {"subresource"}),
                      string_at(entry, {"apiVersion"}));
  };
  std::vector<Json> sorted(std::make_move_iterator(entries.begin()),
                           std::make_move_iterator(entries.end()));
  std::ranges::sort(sorted, {}, order);
  entries = Json(std::move(sorted));
}

Json finished(Json entries) {
  sort_entries(entries);
  bound_updates(entries);
  sort_entries(entries);
  return entries;
}

void drop_nulls(Json& value) {
  if (value.is_object()) {
    for (auto it = value.begin(); it != value.end();) {
      it = it->is_null() ? value.erase(it) : std::next(it);
    }
  }
  if (value.is_structured()) {
    for (Json& child : value) drop_nulls(child);
  }
}

// `conflict with "m1"`, and the version for a manager that did not apply.
std::string conflict_text(const Json& entry) {
  std::string text = fmt::format("conflict with \"{}\"", string_at(entry, {"manager"}));
  if (const auto sub = string_at(entry, {"subresource"}); !sub.empty()) {
    text += fmt::format(" with subresource \"{}\"", sub);
  }
  if (string_at(entry, {"operation"}) != kApply) {
    text += " using " + string_at(entry, {"apiVersion"});
  }
  return text;
}

Error conflict_error(std::vector<FieldError> fields) {
  std::string message =
      fmt::format("Apply failed with {} conflict{}:", fields.size(), fields.size() == 1 ? "" : "s");
  if (fields.size() == 1) {
    message += fmt::format(" {}: {}", fields[0].message, fields[0].field);
  } else {
    std::string last;
    for (const FieldError& field : fields) {
      if (field.message != last) message += fmt::format("\n{}:", field.message);
      last = field.message;
      message += "\n- " + field.field;
    }
  }
  return {Code::kConflict, std::move(message), std::move(fields)};
}

}  // namespace

Json managed_at_creation(const Definition& definition, const Json& object,
                         const FieldManager& manager, base::WallTime now) {
  Json entries = Json::array();
  set_entry(entries, manager, kUpdate, all_fields(definition, object), now);
  return entries;
}

Json managed_after_update(const Definition& definition, const Json& old, const Json& next,
                          const Json& offered, const FieldManager& manager, base::WallTime now) {
  Json entries = entries_of(old);
  if (offered.is_array()) entries = entries_of({{"metadata", {{"managedFields", offered}}}});
  if (entries.empty()) return entries;
  const FieldSet changed =
      changed_fields(schema_of(definition), without_identity(old), without_identity(next));
  FieldSet own = FieldSet::object();
  for (Json& entry : entries) {
    // Of several of its own that a writer offers, the last counts.
    if (is_entry(entry, manager, kUpdate))
      own = owned_by(entry);
    else
      entry["fieldsV1"] = subtract(owned_by(entry), changed);
  }
  add_fields(own, changed);
  set_entry(entries, manager, kUpdate, std::move(own), now);
  return finished(without_gone(entries, all_fields(definition, next)));
}

Result<Json> applied_configuration(const Definition& definition, Json body,
                                   const FieldManager& manager) {
  if (!body.is_object()) return fail(Code::kBadRequest, "an applied configuration is an object");
  if (string_at(body, {"apiVersion"}) != manager.api_version ||
      string_at(body, {"kind"}) != definition.type.kind) {
    return fail(Code::kBadRequest,
                fmt::format("Incorrect version specified in apply patch. Specified patch version: "
                            "{}, {}; expected: {}, {}",
                            string_at(body, {"apiVersion"}), string_at(body, {"kind"}),
                            manager.api_version, definition.type.kind));
  }
  if (const Json* managed = base::find(body, {"metadata", "managedFields"});
      managed != nullptr && !managed->is_null()) {
    return fail(Code::kBadRequest, "metadata.managedFields must be nil");
  }
  drop_nulls(body);
  const bool status = manager.subresource == "status";
  if (definition.has_status && !status) body.erase("status");
  if (!status) return body;
  Json only{{"apiVersion", body["apiVersion"]}, {"kind", body["kind"]}};
  for (const char* field : {"metadata", "status"}) {
    if (body.contains(field)) only[field] = body[field];
  }
  if (only.contains("metadata") && only["metadata"].is_object()) {
    // Of the metadata the status subresource takes the identity and the lock.
    Json kept = Json::object();
    for (const char* field : {"name", "namespace", "uid", "resourceVersion"}) {
      if (only["metadata"].contains(field)) kept[field] = only["metadata"][field];
    }
    only["metadata"] = std::move(kept);
  }
  return only;
}

namespace {

// What `kubectl apply` wrote before it applied on the server: fields that its annotation names and
// that are still as it says. kubectl may take these over without being told to.
FieldSet client_side_applied(const Definition& definition, const Json& live) {
  const std::string text = annotation_of(live, "kubectl.kubernetes.io/last-applied-configuration");
  const auto last = base::parse_json(text);
  if (text.empty() || !last || !last->is_object()) return FieldSet::object();
  const FieldSchema schema = schema_of(definition);
  const Json said = without_identity(*last);
  return subtract(fields_of(schema, said, Members::kEverything),
                  changed_fields(schema, without_identity(live), said));
}

// All of them, or as many as kConflictBytesMax takes.
std::vector<FieldError> conflicts_of(const Json& entries, const FieldSet& changed,
                                     const FieldManager& manager) {
  std::vector<FieldError> out;
  std::size_t bytes = 0;
  for (const Json& entry : entries) {
    if (is_entry(entry, manager, kApply)) continue;
    const std::string text = conflict_text(entry);
    for (std::string& path :
         paths_of(intersect(owned_by(entry), changed), kConflictBytesMax - bytes)) {
      bytes += path.size() + text.size();
      out.push_back({std::move(path), "FieldManagerConflict", text});
      if (bytes >= kConflictBytesMax) return out;
    }
  }
  return out;
}

}  // namespace

Result<AppliedConfiguration> apply_configuration(const Definition& definition, const Json& live,
                                                 const Json& configuration,
                                                 const FieldManager& manager, bool force,
                                                 base::WallTime now) {
  const FieldSchema schema = schema_of(definition);
  Json entries = entries_of(live);
  if (entries.empty()) {
    // The first apply ever: all that is there belongs to those who came before.
    const FieldManager earlier{"before-first-apply", manager.api_version, ""};
    set_entry(entries, earlier, kUpdate, all_fields(definition, live), now);
  }
  const FieldSet wanted = fields_of(schema, without_identity(configuration), Members::kLeaves);
  Json merged = merge_fields(schema, live, configuration);
  const FieldSet changed = changed_fields(schema, without_identity(live), without_identity(merged));
  if (!force) {
    const FieldSet own =
        manager.name == "kubectl" ? client_side_applied(definition, live) : FieldSet::object();
    auto conflicts = conflicts_of(entries, subtract(changed, own), manager);
    if (!conflicts.empty()) return fail(conflict_error(std::move(conflicts)));
  }
  FieldSet before = FieldSet::object();
  FieldSet others = FieldSet::object();
  for (Json& entry : entries) {
    if (is_entry(entry, manager, kApply)) {
      before = owned_by(entry);
      continue;
    }
    // Contested fields that are left here were forced, or are kubectl's own of before.
    entry["fieldsV1"] = subtract(owned_by(entry), changed);
    add_fields(others, owned_by(entry));
  }
  remove_fields(schema, merged, before, wanted, others);
  return AppliedConfiguration{std::move(merged), std::move(entries)};
}

Json managed_after_apply(const Definition& definition, const Json& object,
                         const Json& configuration, const Json& before, const FieldManager& manager,
                         base::WallTime now) {
  const FieldSet existing = all_fields(definition, object);
  FieldSet own =
      intersect(fields_of(schema_of(definition), without_identity(configuration), Members::kLeaves),
                existing);
  Json entries = before.is_array() ? before : Json::array();
  set_entry(entries, manager, kApply, std::move(own), now);
  return finished(without_gone(entries, existing));
}

bool same_managers(const Json& a, const Json& b) {
  const auto timeless = [](Json entries) {
    if (!entries.is_array()) return Json(Json::array());
    for (Json& entry : entries) {
      if (entry.is_object()) entry.erase("time");
    }
    return entries;
  };
  return timeless(a) == timeless(b);
}

}  // namespace hearth::resource
