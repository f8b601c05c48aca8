#include "platform/resource/definition.h"

#include <functional>

#include <fmt/format.h>

#include "platform/resource/schema.h"

namespace hearth::resource {
namespace {

using base::string_at;

struct BuiltIn {
  const char* group;
  const char* version;
  const char* plural;
  const char* kind;
  const char* singular;
  const char* short_names;  // comma-separated
  bool namespaced;
  bool has_status;
  bool has_generation;
  bool in_all;
};

// The order within a group does not matter; core names win over groups (kubectl's rule).
constexpr BuiltIn kBuiltIns[] = {
    {"", "v1", "namespaces", "Namespace", "namespace", "ns", false, true, false, false},
    {"", "v1", "configmaps", "ConfigMap", "configmap", "cm", true, false, false, false},
    {"", "v1", "secrets", "Secret", "secret", "", true, false, false, false},
    {"", "v1", "services", "Service", "service", "svc", true, true, false, true},
    {"", "v1", "endpoints", "Endpoints", "endpoints", "ep", true, false, false, false},
    {"", "v1", "pods", "Pod", "pod", "po", true, true, false, true},
    {"", "v1", "events", "Event", "event", "ev", true, false, false, false},
    {"", "v1", "nodes", "Node", "node", "no", false, true, false, false},
    {"", "v1", "serviceaccounts", "ServiceAccount", "serviceaccount", "sa", true, false, false,
     false},
    {"", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "persistentvolumeclaim", "pvc",
     true, true, false, false},
    {"", "v1", "resourcequotas", "ResourceQuota", "resourcequota", "quota", true, true, false,
     false},
    {"", "v1", "limitranges", "LimitRange", "limitrange", "limits", true, false, false, false},
    {"apps", "v1", "deployments", "Deployment", "deployment", "deploy", true, true, true, true},
    {"apps", "v1", "replicasets", "ReplicaSet", "replicaset", "rs", true, true, true, true},
    {"apps", "v1", "statefulsets", "StatefulSet", "statefulset", "sts", true, true, true, true},
    {"apps", "v1", "daemonsets", "DaemonSet", "daemonset", "ds", true, true, true, true},
    {"batch", "v1", "jobs", "Job", "job", "", true, true, true, true},
    {"batch", "v1", "cronjobs", "CronJob", "cronjob", "cj", true, true, true, true},
    {"coordination.k8s.io", "v1", "leases", "Lease", "lease", "", true, false, false, false},
    {"events.k8s.io", "v1", "events", "Event", "event", "ev", true, false, false, false},
    {"networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", "networkpolicy", "netpol", true,
     true, true, false},
    {"networking.k8s.io", "v1", "ingresses", "Ingress", "ingress", "ing", true, true, true, false},
    {"policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", "poddisruptionbudget", "pdb",
     true, true, true, false},
    {"rbac.authorization.k8s.io", "v1", "roles", "Role", "role", "", true, false, false, false},
    {"rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", "rolebinding", "", true,
     false, false, false},
    {"rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", "clusterrole", "", false,
     false, false, false},
    {"rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding",
     "clusterrolebinding", "", false, false, false, false},
    {"apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition",
     "customresourcedefinition", "crd,crds", false, true, true, false},
};

// Questions about users: created, answered, not stored.
constexpr BuiltIn kReviews[] = {
    {"authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", "selfsubjectreview",
     "", false, false, false, false},
    {"authentication.k8s.io", "v1", "tokenreviews", "TokenReview", "tokenreview", "", false, false,
     false, false},
    {"authorization.k8s.io", "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview",
     "localsubjectaccessreview", "", true, false, false, false},
    {"authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview",
     "selfsubjectaccessreview", "", false, false, false, false},
    {"authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview",
     "selfsubjectrulesreview", "", false, false, false, false},
    {"authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview",
     "subjectaccessreview", "", false, false, false, false},
};

std::vector<std::string> words(const Json* list) {
  std::vector<std::string> out;
  if (list == nullptr || !list->is_array()) return out;
  for (const Json& item : *list) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

std::vector<std::string> comma_words(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto at = text.find(',');
    out.emplace_back(text.substr(0, at));
    text.remove_prefix(at == text.npos ? text.size() : at + 1);
  }
  return out;
}

Definition from_table(const BuiltIn& row) {
  Definition definition;
  definition.type = {row.group, row.version, row.plural, row.kind, row.namespaced};
  definition.singular = row.singular;
  definition.list_kind = std::string(row.kind) + "List";
  definition.short_names = comma_words(row.short_names);
  if (row.in_all) definition.categories = {"all"};
  definition.versions = {row.version};
  definition.has_status = row.has_status;
  definition.has_generation = row.has_generation;
  const std::string_view plural = row.plural;
  if (plural == "deployments" || plural == "replicasets" || plural == "statefulsets") {
    definition.scale = ScalePaths{".spec.replicas", ".status.replicas", ".spec.selector"};
  }
  return definition;
}

std::optional<ScalePaths> scale_of(const Json& version) {
  const Json* scale = base::find(version, {"subresources", "scale"});
  if (scale == nullptr) return std::nullopt;
  const std::string replicas = string_at(*scale, {"specReplicasPath"});
  if (!replicas.starts_with('.') || replicas.contains("..")) return std::nullopt;
  return ScalePaths{replicas, string_at(*scale, {"statusReplicasPath"}),
                    string_at(*scale, {"labelSelectorPath"})};
}

std::vector<PrinterColumn> columns_of(const Json& version) {
  std::vector<PrinterColumn> out;
  const Json* list = base::find(version, {"additionalPrinterColumns"});
  if (list == nullptr || !list->is_array() || list->empty()) {
    return {{"Age", "date", ".metadata.creationTimestamp", 0, {}}};
  }
  for (const Json& item : *list) {
    out.push_back({string_at(item, {"name"}), string_at(item, {"type"}, "string"),
                   string_at(item, {"jsonPath"}),
                   static_cast<int>(base::int_at(item, {"priority"}).value_or(0)),
                   string_at(item, {"description"})});
  }
  return out;
}

Error crd_error(const Json& crd, std::string field, std::string message) {
  return invalid_object("CustomResourceDefinition.apiextensions.k8s.io", name_of(crd),
                        {{std::move(field), "FieldValueRequired", std::move(message)}});
}

}  // namespace

std::string Definition::resource_name() const {
  return type.group.empty() ? type.plural : type.plural + "." + type.group;
}

DefinitionRegistry::DefinitionRegistry() {
  for (const BuiltIn& row : kBuiltIns) put(from_table(row));
  for (const BuiltIn& row : kReviews) {
    Definition definition = from_table(row);
    definition.is_review = true;
    put(std::move(definition));
  }
}

void DefinitionRegistry::put(Definition definition) {
  const std::pair key{definition.type.group, definition.type.plural};
  if (const auto it = admissions_.find(key); it != admissions_.end()) definition.admit = it->second;
  if (field_check_) {
    definition.check_fields = [check = field_check_, type = definition.type](
                                  Json& object, std::vector<std::string>& unknown) {
      return check(type, object, unknown);
    };
  }
  definitions_[key] = std::make_shared<const Definition>(std::move(definition));
  for (const auto& listener : listeners_) listener();
}

void DefinitionRegistry::remove(const std::string& group, const std::string& plural) {
  definitions_.erase({group, plural});
  for (const auto& listener : listeners_) listener();
}

DefinitionPtr DefinitionRegistry::find(const std::string& group, const std::string& plural) const {
  const auto it = definitions_.find({group, plural});
  return it == definitions_.end() ? nullptr : it->second;
}

DefinitionPtr DefinitionRegistry::find_kind(const std::string& group,
                                            const std::string& kind) const {
  for (const auto& [key, definition] : definitions_) {
    if (key.first == group && definition->type.kind == kind) return definition;
  }
  return nullptr;
}

std::vector<DefinitionPtr> DefinitionRegistry::all() const {
  std::vector<DefinitionPtr> out;
  out.reserve(definitions_.size());
  for (const auto& [key, definition] : definitions_) out.push_back(definition);
  return out;
}

void DefinitionRegistry::on_change(std::function<void()> listener) {
  listeners_.push_back(std::move(listener));
}

void DefinitionRegistry::set_field_check(FieldCheck check) {
  field_check_ = std::move(check);
  for (const DefinitionPtr& known : all()) put(*known);
}

void DefinitionRegistry::set_admission(const std::string& group, const std::string& plural,
                                       std::function<Status(Json&, const Json*)> admit) {
  admissions_[{group, plural}] = admit;
  if (const auto known = find(group, plural)) put(*known);
}

namespace {

Status check_names(const Json& crd) {
  const std::string group = string_at(crd, {"spec", "group"});
  const std::string plural = string_at(crd, {"spec", "names", "plural"});
  if (group.empty()) return fail(crd_error(crd, "spec.group", "Required value"));
  if (plural.empty()) return fail(crd_error(crd, "spec.names.plural", "Required value"));
  if (string_at(crd, {"spec", "names", "kind"}).empty()) {
    return fail(crd_error(crd, "spec.names.kind", "Required value"));
  }
  if (name_of(crd) == plural + "." + group) return {};
  return fail(invalid_object("CustomResourceDefinition.apiextensions.k8s.io", name_of(crd),
                             {{"metadata.name", "FieldValueInvalid",
                               fmt::format("Invalid value: \"{}\": must be "
                                           "spec.names.plural+\".\"+spec.group",
                                           name_of(crd))}}));
}

// The last one that is marked; null without any.
const Json* storage_version(const Json& versions) {
  const Json* storage = nullptr;
  for (const Json& version : versions) {
    if (base::bool_at(version, {"storage"}).value_or(false)) storage = &version;
  }
  return storage;
}

}  // namespace

Result<Definition> definition_from_crd(const Json& crd) {
  const Json* versions = base::find(crd, {"spec", "versions"});
  if (versions == nullptr || !versions->is_array() || versions->empty()) {
    return fail(crd_error(crd, "spec.versions", "Required value: must have at least one version"));
  }
  HEARTH_CHECK_OK(check_names(crd));
  const Json* storage = storage_version(*versions);
  if (storage == nullptr) {
    return fail(crd_error(crd, "spec.versions",
                          "Invalid value: must have exactly one version "
                          "marked as storage version"));
  }
  const std::string kind = string_at(crd, {"spec", "names", "kind"});
  Definition definition;
  definition.is_custom = true;
  definition.origin = string_at(crd, {"metadata", "annotations", kOriginAnnotation});
  for (const Json& version : *versions) {
    if (base::bool_at(version, {"served"}).value_or(false)) {
      definition.versions.push_back(string_at(version, {"name"}));
    }
  }
  definition.type = {string_at(crd, {"spec", "group"}), string_at(*storage, {"name"}),
                     string_at(crd, {"spec", "names", "plural"}), kind,
                     string_at(crd, {"spec", "scope"}, "Namespaced") == "Namespaced"};
  definition.singular = string_at(crd, {"spec", "names", "singular"}, kind);
  definition.list_kind = string_at(crd, {"spec", "names", "listKind"}, kind + "List");
  definition.short_names = words(base::find(crd, {"spec", "names", "shortNames"}));
  definition.categories = words(base::find(crd, {"spec", "names", "categories"}));
  definition.has_status = base::find(*storage, {"subresources", "status"}) != nullptr;
  definition.scale = scale_of(*storage);
  definition.columns = columns_of(*storage);
  if (const Json* schema = base::find(*storage, {"schema", "openAPIV3Schema"}); schema != nullptr) {
    definition.schema = std::make_shared<const Json>(*schema);
  }
  return definition;
}

}  // namespace hearth::resource
