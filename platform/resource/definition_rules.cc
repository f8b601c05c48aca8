#include "platform/resource/definition_rules.h"

#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "platform/base/text.h"
#include "platform/resource/object.h"
#include "platform/resource/schema.h"
#include "platform/resource/schema_rules.h"

namespace hearth::resource {
namespace {

using Errors = std::vector<FieldError>;

constexpr std::size_t kErrorsMax = 50;

void check_scope(Errors& errors, const Json& crd) {
  const std::string path = "spec.scope";
  const Json* scope = base::find(crd, {"spec", "scope"});
  if (scope == nullptr || scope->is_null()) {
    errors.push_back(required_value(path));
    return;
  }
  if (*scope == "Cluster" || *scope == "Namespaced") return;
  errors.push_back(
      {path, "FieldValueNotSupported",
       fmt::format("Unsupported value: {}: supported values: \"Cluster\", \"Namespaced\"",
                   base::dump_json(*scope))});
}

bool is_dns_1035_label(std::string_view text) {
  return base::is_dns_label(text) && text.front() >= 'a' && text.front() <= 'z';
}

void check_version(Errors& errors, const Json& version, const std::string& path) {
  const std::string name = base::string_at(version, {"name"});
  if (!is_dns_1035_label(name)) {
    errors.push_back(invalid_value(
        path + ".name", name,
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
        "alphabetic character, and end with an alphanumeric character"));
  }
  for (const char* field : {"served", "storage"}) {
    const Json* found = base::find(version, {field});
    if (found == nullptr || found->is_null() || found->is_boolean()) continue;
    errors.push_back(wrong_type(fmt::format("{}.{}", path, field), "boolean", *found));
  }
  const std::string schema_path = path + ".schema.openAPIV3Schema";
  const Json* schema = base::find(version, {"schema", "openAPIV3Schema"});
  if (schema == nullptr || schema->is_null()) {
    errors.push_back(required_value(schema_path, "schemas are required"));
    return;
  }
  const Errors found = check_schema(*schema, schema_path);
  errors.insert(errors.end(), found.begin(), found.end());
}

void check_versions(Errors& errors, const Json& versions) {
  const std::string path = "spec.versions";
  std::set<std::string> names;
  bool is_unique = true;
  std::size_t stored = 0;
  for (std::size_t i = 0; i < versions.size() && errors.size() < kErrorsMax; ++i) {
    const Json& version = versions[i];
    const std::string at = fmt::format("{}[{}]", path, i);
    if (!version.is_object()) {
      errors.push_back(wrong_type(at, "object", version));
      continue;
    }
    check_version(errors, version, at);
    is_unique = names.insert(base::string_at(version, {"name"})).second && is_unique;
    stored += base::bool_at(version, {"storage"}).value_or(false) ? 1 : 0;
  }
  const Json shown(std::vector<std::string>(names.begin(), names.end()));
  if (!is_unique) {
    errors.push_back(invalid_value(path, shown, "must contain unique version names"));
  }
  if (stored != 1) {
    errors.push_back(
        invalid_value(path, shown, "must have exactly one version marked as storage version"));
  }
}

}  // namespace

Status check_definition(const Json& crd) {
  Errors errors;
  check_scope(errors, crd);
  const Json* versions = base::find(crd, {"spec", "versions"});
  if (versions != nullptr && versions->is_array()) check_versions(errors, *versions);
  if (errors.empty()) return {};
  return fail(invalid_object("CustomResourceDefinition.apiextensions.k8s.io", name_of(crd),
                             std::move(errors)));
}

}  // namespace hearth::resource
