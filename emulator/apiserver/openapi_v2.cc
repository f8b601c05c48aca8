#include "emulator/apiserver/openapi_v2.h"

#include "emulator/apiserver/openapi.h"
#include "emulator/apiserver/protobuf_wire.h"

namespace hearth::apiserver {

using protobuf::append_bytes;
using protobuf::append_flag;
using resource::DefinitionPtr;

namespace {

constexpr std::string_view kGroupVersionKind = "x-kubernetes-group-version-kind";

// Numbers of gnostic's OpenAPIv2.proto, as far as kubectl reads them.
namespace field {
constexpr std::uint32_t kName = 1, kValue = 2;  // of every named thing
constexpr std::uint32_t kAnyYaml = 2;
constexpr std::uint32_t kDocumentSwagger = 1, kDocumentPaths = 8, kDocumentDefinitions = 9;
constexpr std::uint32_t kPathsPath = 2, kPathItemPatch = 8;
constexpr std::uint32_t kOperationParameters = 8, kOperationExtension = 13;
constexpr std::uint32_t kItemParameter = 1, kParameterNotBody = 2, kNotBodyQuery = 3;
constexpr std::uint32_t kQueryIn = 2, kQueryName = 4;
constexpr std::uint32_t kSchemaFormat = 2, kSchemaDescription = 4, kSchemaRequired = 19,
                        kSchemaAdditional = 21, kSchemaType = 22, kSchemaItems = 23,
                        kSchemaProperties = 25, kSchemaExtension = 31;
constexpr std::uint32_t kAdditionalSchema = 1, kAdditionalFlag = 2;
constexpr std::uint32_t kOnly = 1;  // of messages with one field
}  // namespace field

std::string wrapped(std::uint32_t number, std::string_view bytes) {
  std::string out;
  append_bytes(out, number, bytes);
  return out;
}

std::string named(std::string_view name, std::string_view value) {
  return wrapped(field::kName, name) + wrapped(field::kValue, value);
}

// JSON is YAML.
std::string extension(std::string_view name, const Json& value) {
  return named(name, wrapped(field::kAnyYaml, base::dump_json(value)));
}

bool flag_of(const Json& schema, const char* name) {
  const auto it = schema.find(name);
  return it != schema.end() && it->is_boolean() && it->get<bool>();
}

// What version 2 can't say becomes "anything", as Kubernetes publishes it.
bool is_anything(const Json& schema) {
  return flag_of(schema, "nullable") || flag_of(schema, "x-kubernetes-int-or-string") ||
         flag_of(schema, "x-kubernetes-preserve-unknown-fields");
}

std::string schema_message(const Json& schema);

void append_shape(std::string& out, const Json& schema) {
  const std::string type = base::string_at(schema, {"type"});
  if (!type.empty()) append_bytes(out, field::kSchemaType, wrapped(field::kOnly, type));
  const std::string format = base::string_at(schema, {"format"});
  if (!format.empty()) append_bytes(out, field::kSchemaFormat, format);
  if (const Json* required = base::find(schema, {"required"})) {
    for (const Json& name : *required) {
      if (name.is_string()) append_bytes(out, field::kSchemaRequired, name.get<std::string>());
    }
  }
  if (const Json* items = base::find(schema, {"items"})) {
    append_bytes(out, field::kSchemaItems, wrapped(field::kOnly, schema_message(*items)));
  }
  if (const Json* properties = base::find(schema, {"properties"})) {
    std::string all;
    for (const auto& [name, property] : properties->items()) {
      append_bytes(all, field::kOnly, named(name, schema_message(property)));
    }
    append_bytes(out, field::kSchemaProperties, all);
  }
  if (const Json* additional = base::find(schema, {"additionalProperties"})) {
    std::string item;
    if (additional->is_boolean())
      append_flag(item, field::kAdditionalFlag, additional->get<bool>());
    else
      append_bytes(item, field::kAdditionalSchema, schema_message(*additional));
    append_bytes(out, field::kSchemaAdditional, item);
  }
}

std::string schema_message(const Json& schema) {
  std::string out;
  const std::string description = base::string_at(schema, {"description"});
  if (!description.empty()) append_bytes(out, field::kSchemaDescription, description);
  if (!is_anything(schema)) append_shape(out, schema);
  return out;
}

std::string definition_message(const Json& schema) {
  std::string out = schema_message(schema);
  append_bytes(out, field::kSchemaExtension,
               extension(kGroupVersionKind, schema[std::string(kGroupVersionKind)]));
  return out;
}

std::string path_message(const resource::Definition& definition, const std::string& version) {
  const std::string dry_run =
      wrapped(field::kQueryIn, "query") + wrapped(field::kQueryName, "dryRun");
  const std::string parameter =
      wrapped(field::kItemParameter,
              wrapped(field::kParameterNotBody, wrapped(field::kNotBodyQuery, dry_run)));
  const std::string patch =
      wrapped(field::kOperationParameters, parameter) +
      wrapped(field::kOperationExtension,
              extension(kGroupVersionKind, group_version_kind(definition, version)));
  return named(openapi_path(definition, version), wrapped(field::kPathItemPatch, patch));
}

}  // namespace

std::string openapi_v2_document(const resource::DefinitionRegistry& definitions) {
  std::string paths;
  std::string schemas;
  for (const DefinitionPtr& definition : definitions.all()) {
    for (const std::string& version : definition->versions) {
      append_bytes(paths, field::kPathsPath, path_message(*definition, version));
      if (!definition->is_custom || !definition->schema) continue;
      append_bytes(schemas, field::kOnly,
                   named(openapi_schema_name(*definition, version),
                         definition_message(openapi_schema(*definition, version))));
    }
  }
  return wrapped(field::kDocumentSwagger, "2.0") + wrapped(field::kDocumentPaths, paths) +
         wrapped(field::kDocumentDefinitions, schemas);
}

}  // namespace hearth::apiserver
