#include "cli/field_hint.h"

#include "platform/base/text.h"
#include "platform/resource/well_known.h"

namespace hearth::cli {
namespace {

const Json* schema_of(const Json& crd, const std::string& version) {
  const Json* versions = base::find(crd, {"spec", "versions"});
  if (versions == nullptr || !versions->is_array()) return nullptr;
  for (const Json& candidate : *versions) {
    if (base::string_at(candidate, {"name"}) == version) {
      return base::find(candidate, {"schema", "openAPIV3Schema"});
    }
  }
  return nullptr;
}

// One step of "spec.env[0].nam" down the schema: properties, then the items of a list.
const Json* step_into(const Json* schema, std::string_view step) {
  const auto bracket = step.find('[');
  schema = base::find(*schema, {"properties", step.substr(0, bracket)});
  if (schema != nullptr && bracket != step.npos) schema = base::find(*schema, {"items"});
  return schema;
}

}  // namespace

std::string nearest_field(ApiClient& api, const Kind& kind, const std::string& path) {
  const auto crd = api.get(
      path_of(resource::kCustomResourceDefinitions, {}, kind.type.plural + "." + kind.type.group));
  return crd ? nearest_field_of(*crd, kind.type.version, path) : "";
}

std::string nearest_field_of(const Json& definition, const std::string& version,
                             const std::string& path) {
  const Json* schema = schema_of(definition, version);
  const auto steps = base::split(path, '.');
  std::string parent;
  for (std::size_t i = 0; i + 1 < steps.size() && schema != nullptr; ++i) {
    schema = step_into(schema, steps[i]);
    parent.append(steps[i]).append(".");
  }
  const Json* properties = schema == nullptr ? nullptr : base::find(*schema, {"properties"});
  if (properties == nullptr) return {};
  std::vector<std::string> names;
  for (const auto& [name, value] : properties->items()) names.push_back(name);
  const auto near = base::nearest(steps.back(), names);
  return near ? parent + *near : "";
}

}  // namespace hearth::cli
