#include "emulator/store/object_rules.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/base/limits.h"
#include "platform/base/random_id.h"
#include "platform/base/text.h"
#include "platform/resource/schema.h"

namespace hearth::store {

using resource::Definition;
using resource::WriteOptions;

namespace {

constexpr std::size_t kAnnotationsBytesMax = 256 * 1024;

std::string kind_name(const Definition& definition) {
  return definition.type.group.empty() ? definition.type.kind
                                       : definition.type.kind + "." + definition.type.group;
}

// Names of most kinds are DNS subdomains; RBAC allows any path segment.
Status check_name(const Definition& definition, const std::string& name) {
  const bool path_segment = definition.type.group == "rbac.authorization.k8s.io";
  const bool fine = path_segment ? !name.empty() && name != "." && name != ".." &&
                                       name.find_first_of("/%") == std::string::npos
                                 : base::is_dns_subdomain(name);
  if (fine) return {};
  return fail(resource::invalid_object(
      kind_name(definition), name,
      {{"metadata.name", name.empty() ? "FieldValueRequired" : "FieldValueInvalid",
        name.empty() ? "Required value: name or generateName is required"
                     : fmt::format("Invalid value: \"{}\": a lowercase RFC 1123 subdomain must "
                                   "consist of lower case alphanumeric characters, '-' or '.', and "
                                   "must start and end with an alphanumeric character",
                                   name)}}));
}

Status check_string_map(const Definition& definition, const Json& object, const char* field) {
  const Json* map = base::find(object, {"metadata", field});
  if (map == nullptr || map->is_null()) return {};
  std::size_t bytes = 0;
  bool strings = map->is_object();
  if (strings) {
    for (const auto& [key, value] : map->items()) {
      strings = strings && value.is_string();
      bytes += key.size() + (value.is_string() ? value.get_ref<const std::string&>().size() : 0);
    }
  }
  if (!strings) {
    return fail(
        resource::invalid_object(kind_name(definition), resource::name_of(object),
                                 {{fmt::format("metadata.{}", field), "FieldValueTypeInvalid",
                                   "Invalid value: must be a map of strings"}}));
  }
  if (bytes > kAnnotationsBytesMax) {
    return fail(resource::invalid_object(kind_name(definition), resource::name_of(object),
                                         {{fmt::format("metadata.{}", field), "FieldValueTooLong",
                                           "Too long: may not be more than 262144 bytes"}}));
  }
  return {};
}

bool is_label_name(std::string_view text) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || text.size() > 63) return false;
  if (!alphanumeric(text.front()) || !alphanumeric(text.back())) return false;
  return std::ranges::all_of(
      text, [&](char c) { return alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

// Kubernetes: "[prefix/]name", values of at most 63 characters of the same alphabet, or empty.
Status check_labels(const Definition& definition, const Json& object) {
  const Json* labels = base::find(object, {"metadata", "labels"});
  if (labels == nullptr || !labels->is_object()) return {};
  for (const auto& [key, value] : labels->items()) {
    const auto slash = key.find('/');
    const bool key_fits =
        is_label_name(std::string_view(key).substr(slash == key.npos ? 0 : slash + 1)) &&
        (slash == key.npos || base::is_dns_subdomain(std::string_view(key).substr(0, slash)));
    const auto& text = value.get_ref<const std::string&>();
    if (key_fits && (text.empty() || is_label_name(text))) continue;
    return fail(resource::invalid_object(
        kind_name(definition), resource::name_of(object),
        {{"metadata.labels", "FieldValueInvalid",
          fmt::format("Invalid value: \"{}\": a valid label {} consists of at most 63 alphanumeric "
                      "characters, '-', '_' or '.', and starts and ends with an alphanumeric one",
                      key_fits ? text : key, key_fits ? "value" : "key")}}));
  }
  return {};
}

Status check_metadata(const Definition& definition, const Json& object) {
  if (!object.is_object() || !object.contains("metadata") || !object["metadata"].is_object()) {
    return fail(Code::kBadRequest, "an object needs metadata");
  }
  HEARTH_CHECK_OK(check_name(definition, resource::name_of(object)));
  HEARTH_CHECK_OK(check_string_map(definition, object, "labels"));
  HEARTH_CHECK_OK(check_labels(definition, object));
  return check_string_map(definition, object, "annotations");
}

void drop_null_metadata(Json& object) {
  Json& metadata = object["metadata"];
  for (const char* field : {"creationTimestamp", "labels", "annotations", "ownerReferences",
                            "finalizers", "managedFields"}) {
    if (metadata.contains(field) && metadata[field].is_null()) metadata.erase(field);
  }
}

// What the house's own controllers write is of the right form.
Status check_fields(const Definition& definition, Json& object, const WriteOptions& options,
                    std::vector<std::string>& unknown) {
  if (!definition.check_fields || options.field_manager.empty()) return {};
  const Status checked = definition.check_fields(object, unknown);
  if (checked) return {};
  return fail(checked.error().code,
              fmt::format("{0} in version \"{1}\" cannot be handled as a {0}: {2}",
                          definition.type.kind, definition.type.version, checked.error().message));
}

// Unknown fields: refused (Strict), reported (Warn) or dropped (Ignore).
Status prune(const Definition& definition, Json& object, const WriteOptions& options) {
  std::vector<std::string> unknown;
  HEARTH_CHECK_OK(check_fields(definition, object, options, unknown));
  if (definition.schema) {
    const auto of_schema = resource::prune_unknown(*definition.schema, object);
    unknown.insert(unknown.end(), of_schema.begin(), of_schema.end());
  }
  if (unknown.empty()) return {};
  if (options.field_validation == resource::FieldValidation::kStrict) {
    std::vector<std::string> texts;
    Error error{Code::kBadRequest, "", {}};
    for (const std::string& path : unknown) {
      texts.push_back(fmt::format("unknown field \"{}\"", path));
      error.fields.push_back({path, "FieldValueInvalid", "unknown field"});
    }
    error.message = "strict decoding error: " + base::join(texts, ", ");
    return fail(std::move(error));
  }
  if (options.warnings != nullptr) {
    for (const std::string& path : unknown) {
      options.warnings->push_back(fmt::format("unknown field \"{}\"", path));
    }
  }
  return {};
}

// The schema's errors and the kind's own rules together: the latter say more of the same field.
Status validate(const Definition& definition, Json& object, const Json* old) {
  std::vector<FieldError> errors;
  if (definition.schema) {
    if (Status filled = resource::apply_defaults(*definition.schema, object); !filled) {
      return fail(
          with_context(std::move(filled).error(),
                       fmt::format("{} \"{}\"", kind_name(definition), resource::name_of(object))));
    }
    errors = resource::validate(*definition.schema, object);
  }
  if (definition.admit) {
    const Status admitted = definition.admit(object, old);
    if (!admitted && (errors.empty() || admitted.error().code != Code::kInvalid)) return admitted;
    if (!admitted) {
      errors.insert(errors.end(), admitted.error().fields.begin(), admitted.error().fields.end());
    }
  }
  if (errors.empty()) return {};
  return fail(resource::invalid_object(kind_name(definition), resource::name_of(object),
                                       std::move(errors)));
}

// stringData is write-only: folded into data.
void fold_secret(const Definition& definition, Json& object) {
  if (definition.type.kind != "Secret" || !definition.type.group.empty()) return;
  if (!object.contains("type")) object["type"] = "Opaque";
  if (!object.contains("stringData") || !object["stringData"].is_object()) return;
  for (const auto& [key, value] : object["stringData"].items()) {
    if (!value.is_string()) continue;
    object["data"][key] = base::base64(value.get_ref<const std::string&>());
  }
  object.erase("stringData");
}

// What the generation counts: everything but metadata and (with a subresource) status.
bool spec_differs(const Definition& definition, const Json& a, const Json& b) {
  const auto body = [&](const Json& object) {
    Json copy = object;
    for (const char* field : {"metadata", "apiVersion", "kind"}) copy.erase(field);
    if (definition.has_status) copy.erase("status");
    return copy;
  };
  return body(a) != body(b);
}

void keep_server_fields(const Json& current, Json& object) {
  for (const char* field : {"uid", "creationTimestamp", "generation", "deletionTimestamp",
                            "deletionGracePeriodSeconds", "namespace", "resourceVersion"}) {
    const Json* kept = base::find(current, {"metadata", field});
    if (kept != nullptr)
      object["metadata"][field] = *kept;
    else
      object["metadata"].erase(field);
  }
}

Status check_finalizers(const Definition& definition, const Json& current, const Json& object) {
  if (!resource::is_being_deleted(current)) return {};
  const Json* list = base::find(object, {"metadata", "finalizers"});
  if (list == nullptr) return {};
  for (const Json& name : *list) {
    if (!name.is_string() || resource::has_finalizer(current, name.get<std::string>())) continue;
    return fail(resource::invalid_object(
        kind_name(definition), resource::name_of(object),
        {{"metadata.finalizers", "FieldValueForbidden",
          "Forbidden: no new finalizers can be added if the object is being deleted"}}));
  }
  return {};
}

}  // namespace

Status check_depth(const Json& object) {
  const std::size_t depth = base::depth_of(object);
  if (depth <= limits::kObjectDepthMax) return {};
  std::string deepest = "metadata";
  std::size_t most = 0;
  for (const auto& [key, value] : object.items()) {
    const std::size_t below = key == "metadata" ? 0 : base::depth_of(value);
    if (below > most) std::tie(deepest, most) = std::tuple(key, below);
  }
  const std::string version = base::string_at(object, {"apiVersion"});
  const auto slash = version.find('/');
  const std::string kind = base::string_at(object, {"kind"}) +
                           (slash == std::string::npos ? "" : "." + version.substr(0, slash));
  return fail(resource::invalid_object(
      kind, resource::name_of(object),
      {{deepest, "FieldValueInvalid",
        fmt::format("Invalid value: nested too deeply: with what metadata.managedFields says of "
                    "its fields the object would have {} levels, of at most {}; make it flatter, "
                    "or keep the inner part as text",
                    depth, limits::kObjectDepthMax)}}));
}

Error not_found(const Definition& definition, std::string_view name) {
  return {
      Code::kNotFound, fmt::format("{} \"{}\" not found", definition.resource_name(), name), {}};
}

Error conflict(const Definition& definition, std::string_view name) {
  return {Code::kConflict,
          fmt::format("Operation cannot be fulfilled on {} \"{}\": the object has been modified; "
                      "please apply your changes to the latest version and try again",
                      definition.resource_name(), name),
          {}};
}

Status prepare_create(const Definition& definition, Json& object, const WriteOptions& options,
                      base::WallTime now) {
  if (!object.is_object() || !object.contains("metadata") || !object["metadata"].is_object()) {
    return fail(Code::kBadRequest, "an object needs metadata");
  }
  drop_null_metadata(object);
  Json& metadata = object["metadata"];
  const std::string generate = base::string_at(metadata, {"generateName"});
  if (resource::name_of(object).empty() && !generate.empty()) {
    metadata["name"] = generate.substr(0, 58) + base::random_suffix();
  }
  HEARTH_CHECK_OK(check_metadata(definition, object));
  // The server's own; before the rules of a kind, which may look at them.
  for (const char* field : {"resourceVersion", "selfLink", "deletionTimestamp",
                            "deletionGracePeriodSeconds", "managedFields"}) {
    metadata.erase(field);
  }
  if (definition.has_status && definition.is_custom) object.erase("status");
  fold_secret(definition, object);
  HEARTH_CHECK_OK(prune(definition, object, options));
  metadata["uid"] = base::random_uuid();  // rules may refer to it
  HEARTH_CHECK_OK(validate(definition, object, nullptr));
  metadata["creationTimestamp"] = base::format_rfc3339(now);
  if (definition.has_generation) metadata["generation"] = 1;
  object["apiVersion"] = definition.type.api_version();
  object["kind"] = definition.type.kind;
  return {};
}

Status prepare_update(const Definition& definition, const Json& current, Json& object,
                      const WriteOptions& options) {
  if (!object.is_object() || !object.contains("metadata") || !object["metadata"].is_object()) {
    return fail(Code::kBadRequest, "an object needs metadata");
  }
  drop_null_metadata(object);
  const std::string version = base::string_at(object, {"metadata", "resourceVersion"});
  if (!version.empty() && version != base::string_at(current, {"metadata", "resourceVersion"})) {
    return fail(conflict(definition, resource::name_of(current)));
  }
  const std::string uid = resource::uid_of(object);
  if (!uid.empty() && uid != resource::uid_of(current)) {
    return fail(conflict(definition, resource::name_of(current)));
  }
  keep_server_fields(current, object);
  object["metadata"].erase("managedFields");
  object["apiVersion"] = definition.type.api_version();
  object["kind"] = definition.type.kind;
  if (options.subresource == resource::Subresource::kStatus) {
    Json next = current;
    if (object.contains("status"))
      next["status"] = std::move(object["status"]);
    else
      next.erase("status");
    object = std::move(next);
    return {};
  }
  if (definition.has_status) {
    if (current.contains("status"))
      object["status"] = current["status"];
    else
      object.erase("status");
  }
  HEARTH_CHECK_OK(check_metadata(definition, object));
  HEARTH_CHECK_OK(check_finalizers(definition, current, object));
  fold_secret(definition, object);
  HEARTH_CHECK_OK(prune(definition, object, options));
  HEARTH_CHECK_OK(validate(definition, object, &current));
  if (definition.has_generation && spec_differs(definition, current, object)) {
    object["metadata"]["generation"] = resource::generation_of(current) + 1;
  }
  return {};
}

void mark_deleted(Json& object, const resource::DeleteOptions& options, base::WallTime now) {
  using Propagation = resource::DeleteOptions::Propagation;
  if (options.propagation == Propagation::kForeground) {
    resource::add_finalizer(object, "foregroundDeletion");
  }
  if (options.propagation == Propagation::kOrphan) resource::add_finalizer(object, "orphan");
  if (resource::is_being_deleted(object)) return;
  object["metadata"]["deletionTimestamp"] = base::format_rfc3339(now);
  object["metadata"]["deletionGracePeriodSeconds"] = 0;
  if (object["metadata"].contains("generation")) {
    object["metadata"]["generation"] = resource::generation_of(object) + 1;
  }
}

}  // namespace hearth::store
