#include "cli/kinds.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::cli {
namespace {

using base::string_at;

constexpr std::string_view kAcceptDiscovery =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

// What people call the product's own kinds.
std::string without_alias(const std::string& word) {
  if (word == "function" || word == "functions" || word == "fn") return "lambdafunctions";
  if (word == "agent" || word == "agents") return "lambdaagents";
  return word;
}

bool has_name(const Kind& kind, const std::string& word) {
  const std::string suffix = kind.type.group.empty() ? "" : "." + kind.type.group;
  const std::string lower_kind = base::lower(kind.type.kind);
  for (const std::string& name : {kind.type.plural, kind.singular, lower_kind}) {
    if (word == name || (!suffix.empty() && word == name + suffix)) return true;
  }
  return std::ranges::find(kind.short_names, word) != kind.short_names.end();
}

Kind kind_of(const std::string& group, const std::string& version, const Json& resource) {
  Kind kind{.type = {.group = group,
                     .version = version,
                     .plural = string_at(resource, {"resource"}),
                     .kind = string_at(resource, {"responseKind", "kind"}),
                     .namespaced = string_at(resource, {"scope"}) == "Namespaced"},
            .singular = string_at(resource, {"singularResource"})};
  if (const Json* names = base::find(resource, {"shortNames"})) {
    for (const Json& name : *names) kind.short_names.push_back(name);
  }
  return kind;
}

}  // namespace

std::string Kind::qualified_singular() const {
  const std::string name = singular.empty() ? base::lower(type.kind) : singular;
  return type.group.empty() ? name : name + "." + type.group;
}

Status Kinds::add_groups(const Json& document) {
  const Json* items = base::find(document, {"items"});
  if (items == nullptr) return fail(Code::kCorrupt, "the API's discovery has no items");
  for (const Json& item : *items) {
    const std::string group = string_at(item, {"metadata", "name"});
    for (const Json& version : item["versions"]) {
      for (const Json& resource : version["resources"]) {
        kinds_.push_back(kind_of(group, string_at(version, {"version"}), resource));
      }
    }
  }
  return {};
}

Result<Kinds> Kinds::load(ApiClient& api) {
  Kinds kinds;
  for (const char* root : {"/api", "/apis"}) {
    HEARTH_TRY(document, api.get(root, kAcceptDiscovery));
    HEARTH_CHECK_OK(kinds.add_groups(document));
  }
  return kinds;
}

std::vector<std::string> Kinds::all_names() const {
  std::vector<std::string> names{"functions"};
  for (const Kind& kind : kinds_) {
    names.push_back(kind.type.plural);
    names.push_back(kind.singular);
    names.insert(names.end(), kind.short_names.begin(), kind.short_names.end());
  }
  return names;
}

std::vector<std::string> Kinds::plurals() const {
  std::vector<std::string> names{"functions"};
  for (const Kind& kind : kinds_) names.push_back(kind.type.plural);
  return names;
}

Result<Kind> Kinds::find(const std::string& word) const {
  const std::string wanted = without_alias(base::lower(word));
  const auto it = std::ranges::find_if(kinds_, [&](const Kind& k) { return has_name(k, wanted); });
  if (it != kinds_.end()) return *it;
  std::string message = fmt::format("the server has no resource type \"{}\"", word);
  if (const auto near = base::nearest(wanted, all_names())) {
    message += fmt::format("; did you mean \"{}\"?", *near);
  }
  return fail(Code::kNotFound, message);
}

Result<Kind> Kinds::of(const std::string& api_version, const std::string& kind) const {
  std::vector<std::string> kinds;
  std::vector<std::string> versions;  // of the groups that have a kind of this name
  for (const Kind& known : kinds_) {
    if (known.type.kind == kind && known.type.api_version() == api_version) return known;
    if (known.type.kind == kind) versions.push_back(known.type.api_version());
    kinds.push_back(known.type.kind);
  }
  std::string message = fmt::format("no kind \"{}\" in version \"{}\"", kind, api_version);
  if (!versions.empty()) {
    message += fmt::format("; did you mean apiVersion \"{}\"?",
                           base::nearest(api_version, versions).value_or(versions.front()));
  } else if (const auto near = base::nearest(kind, kinds)) {
    message += fmt::format("; did you mean kind \"{}\"?", *near);
  }
  return fail(Code::kInvalid, message);
}

Error with_near_miss(Error error, ApiClient& api, const Kind& kind, const std::string& ns,
                     const std::string& name) {
  if (error.code != Code::kNotFound) return error;
  const auto list = api.get(path_of(kind.type, {}));
  const Json* items = list ? base::find(*list, {"items"}) : nullptr;
  if (items == nullptr) return error;
  std::vector<std::string> names;
  for (const Json& item : *items) {
    const resource::ObjectKey key = resource::key_of(item);
    if (key.name == name && key.ns != ns) {
      error.message +=
          fmt::format("; there is one in namespace \"{}\" (use -n {})", key.ns, key.ns);
      return error;
    }
    if (key.ns == ns || !kind.type.namespaced) names.push_back(key.name);
  }
  if (const auto near = base::nearest(name, names)) {
    error.message += fmt::format("; did you mean \"{}\"?", *near);
  }
  return error;
}

}  // namespace hearth::cli
