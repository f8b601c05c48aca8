// What the API knows of a kind: names, scope, subresources, columns, schema. Built-in kinds come
// from a table, all others from CustomResourceDefinitions; both look the same from here on.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/json.h"
#include "platform/resource/object.h"

namespace hearth::resource {

struct PrinterColumn {
  std::string name;
  std::string type = "string";
  std::string json_path;
  int priority = 0;
  std::string description;
};

// Where a kind keeps what its scale subresource shows, as JSON paths; empty: nowhere.
struct ScalePaths {
  std::string spec_replicas;
  std::string status_replicas;
  std::string selector;
};

struct Definition {
  Type type;
  std::string singular;
  std::string list_kind;
  std::vector<std::string> short_names;
  std::vector<std::string> categories;
  std::vector<std::string> versions;  // served, preferred first
  bool has_status = true;
  bool has_generation = true;
  bool is_custom = false;  // defined by a CustomResourceDefinition
  std::string origin;      // of a CRD that came with the program: digest of its manifest
  bool is_review = false;  // answered when it is created, never stored
  std::optional<ScalePaths> scale;
  std::vector<PrinterColumn> columns;
  std::shared_ptr<const Json> schema;  // openAPIV3Schema of the preferred version; may be null
  // What a client's object has that its kind doesn't: removed, its path appended to `unknown`.
  // kBadRequest for a value of the wrong type. Null: nothing is known of the kind.
  std::function<Status(Json& object, std::vector<std::string>& unknown)> check_fields;
  // Changes the object or refuses it: defaults and rules that a schema can't say. `old` is null on
  // create.
  std::function<Status(Json& object, const Json* old)> admit;

  // "services.serving.knative.dev", "configmaps".
  std::string resource_name() const;
};

using DefinitionPtr = std::shared_ptr<const Definition>;

// Belongs to the store's loop.
class DefinitionRegistry {
 public:
  // Namespaces, ConfigMaps, … : everything the embedded API serves without a CRD.
  DefinitionRegistry();

  void put(Definition definition);
  void remove(const std::string& group, const std::string& plural);
  DefinitionPtr find(const std::string& group, const std::string& plural) const;
  DefinitionPtr find_kind(const std::string& group, const std::string& kind) const;
  std::vector<DefinitionPtr> all() const;  // by group, then plural
  // Called after every change.
  void on_change(std::function<void()> listener);
  // For all kinds, also those to come.
  using FieldCheck =
      std::function<Status(const Type& type, Json& object, std::vector<std::string>& unknown)>;
  void set_field_check(FieldCheck check);
  // The rule for a kind, kept when its definition is put again.
  void set_admission(const std::string& group, const std::string& plural,
                     std::function<Status(Json&, const Json*)> admit);

 private:
  std::map<std::pair<std::string, std::string>, DefinitionPtr> definitions_;
  std::map<std::pair<std::string, std::string>, std::function<Status(Json&, const Json*)>>
      admissions_;
  FieldCheck field_check_;
  std::vector<std::function<void()>> listeners_;
};

// The annotation of a CRD that says its `origin`.
inline constexpr std::string_view kOriginAnnotation = "lambda.knative.io/manifest-digest";

// kInvalid with the field for what is no usable CRD.
Result<Definition> definition_from_crd(const Json& crd);

}  // namespace hearth::resource
