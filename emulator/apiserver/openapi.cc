#include "emulator/apiserver/openapi.h"

#include <algorithm>
#include <set>

#include "platform/base/hash.h"

namespace hearth::apiserver {

using resource::Definition;
using resource::DefinitionPtr;
using resource::DefinitionRegistry;

namespace {

std::string document_path(const std::string& group, const std::string& version) {
  return group.empty() ? "api/" + version : "apis/" + group + "/" + version;
}

Json object_meta() {
  const Json text{{"type", "string"}};
  const Json map{{"type", "object"}, {"additionalProperties", text}};
  return {{"type", "object"},
          {"description", "Standard object's metadata."},
          {"properties",
           {{"name", text},
            {"generateName", text},
            {"namespace", text},
            {"labels", map},
            {"annotations", map},
            {"uid", text},
            {"resourceVersion", text},
            {"creationTimestamp", text},
            {"generation", {{"type", "integer"}}},
            {"finalizers", {{"type", "array"}, {"items", text}}},
            {"ownerReferences", {{"type", "array"}, {"items", {{"type", "object"}}}}},
            {"deletionTimestamp", text},
            {"deletionGracePeriodSeconds", {{"type", "integer"}}},
            {"managedFields", {{"type", "array"}, {"items", {{"type", "object"}}}}},
            {"selfLink", text}}}};
}

Json query_parameter(const char* name, const char* type = "string") {
  return {{"name", name}, {"in", "query"}, {"schema", {{"type", type}}}};
}

Json patch_operation(const Definition& definition, const std::string& version) {
  return {{"patch",
           {{"operationId", "patch" + definition.type.kind},
            {"parameters",
             {query_parameter("dryRun"), query_parameter("fieldManager"),
              query_parameter("fieldValidation"), query_parameter("force", "boolean")}},
            {"responses", {{"200", {{"description", "OK"}}}}},
            {"x-kubernetes-action", "patch"},
            {"x-kubernetes-group-version-kind", group_version_kind(definition, version)}}}};
}

}  // namespace

Json group_version_kind(const Definition& definition, const std::string& version) {
  return {{"group", definition.type.group}, {"version", version}, {"kind", definition.type.kind}};
}

std::string openapi_schema_name(const Definition& definition, const std::string& version) {
  return (definition.type.group.empty() ? "core" : definition.type.group) + "." + version + "." +
         definition.type.kind;
}

std::string openapi_path(const Definition& definition, const std::string& version) {
  const std::string scope = definition.type.namespaced ? "/namespaces/{namespace}" : "";
  return "/" + document_path(definition.type.group, version) + scope + "/" +
         definition.type.plural + "/{name}";
}

Json openapi_schema(const Definition& definition, const std::string& version) {
  // Without a schema of its own a kind is an open object: anything is valid on the client. So is
  // one whose schema is none: it must not take the document from all other kinds.
  const bool has_schema = definition.schema && definition.schema->is_object();
  Json schema = has_schema ? *definition.schema : Json{{"type", "object"}};
  if (const auto it = schema.find("properties"); it != schema.end() && !it->is_object()) {
    schema.erase(it);
  }
  if (schema.contains("properties")) {
    schema["properties"]["apiVersion"] = {{"type", "string"}};
    schema["properties"]["kind"] = {{"type", "string"}};
    schema["properties"]["metadata"] = object_meta();
  }
  schema["x-kubernetes-group-version-kind"] =
      Json::array({group_version_kind(definition, version)});
  return schema;
}

std::optional<Json> openapi_document(const DefinitionRegistry& definitions,
                                     const std::string& group, const std::string& version) {
  Json paths = Json::object();
  Json schemas = Json::object();
  for (const DefinitionPtr& definition : definitions.all()) {
    if (definition->type.group != group ||
        std::ranges::find(definition->versions, version) == definition->versions.end()) {
      continue;
    }
    paths[openapi_path(*definition, version)] = patch_operation(*definition, version);
    schemas[openapi_schema_name(*definition, version)] = openapi_schema(*definition, version);
  }
  if (paths.empty()) return std::nullopt;
  return Json{{"openapi", "3.0.0"},
              {"info", {{"title", "Hearth"}, {"version", HEARTH_VERSION}}},
              {"paths", std::move(paths)},
              {"components", {{"schemas", std::move(schemas)}}}};
}

Json openapi_root(const DefinitionRegistry& definitions) {
  std::set<std::pair<std::string, std::string>> versions;
  for (const DefinitionPtr& definition : definitions.all()) {
    for (const std::string& version : definition->versions) {
      versions.emplace(definition->type.group, version);
    }
  }
  Json paths = Json::object();
  for (const auto& [group, version] : versions) {
    const std::string path = document_path(group, version);
    const auto document = openapi_document(definitions, group, version);
    const std::string hash = base::sha256_hex(base::dump_json(*document)).substr(0, 32);
    std::string url = "/openapi/v3/";
    url.append(path).append("?hash=").append(hash);
    paths[path] = {{"serverRelativeURL", std::move(url)}};
  }
  return {{"paths", std::move(paths)}};
}

}  // namespace hearth::apiserver
