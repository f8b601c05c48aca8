#include "emulator/apiserver/discovery.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::apiserver {

using resource::Definition;
using resource::DefinitionPtr;
using resource::DefinitionRegistry;

namespace {

const std::vector<std::string> kVerbs{"create", "delete", "deletecollection", "get",
                                      "list",   "patch",  "update",           "watch"};

// Groups in the order of a real server: the core's own extensions first, then the custom ones.
std::map<std::string, std::vector<DefinitionPtr>> by_group(const DefinitionRegistry& definitions) {
  std::map<std::string, std::vector<DefinitionPtr>> out;
  for (const DefinitionPtr& definition : definitions.all()) {
    out[definition->type.group].push_back(definition);
  }
  return out;
}

std::vector<std::string> versions_of(const std::vector<DefinitionPtr>& group) {
  std::vector<std::string> out;
  for (const DefinitionPtr& definition : group) {
    for (const std::string& version : definition->versions) {
      if (std::ranges::find(out, version) == out.end()) out.push_back(version);
    }
  }
  return out;
}

const std::vector<std::string>& verbs_of(const Definition& definition) {
  static const std::vector<std::string> kReview{"create"};
  return definition.is_review ? kReview : kVerbs;
}

struct Subresource {
  const char* name;
  std::vector<std::string> verbs;
  Json kind;  // {group, version, kind}
};

Json kind_of(const Definition& definition, const std::string& version) {
  return {{"group", definition.type.group}, {"version", version}, {"kind", definition.type.kind}};
}

std::vector<Subresource> subresources_of(const Definition& definition, const std::string& version) {
  std::vector<Subresource> out;
  const Json kind = kind_of(definition, version);
  if (definition.has_status) out.push_back({"status", {"get", "patch", "update"}, kind});
  if (definition.scale) {
    out.push_back({"scale",
                   {"get", "patch", "update"},
                   {{"group", "autoscaling"}, {"version", "v1"}, {"kind", "Scale"}}});
  }
  if (definition.type.plural == "pods" && definition.type.group.empty()) {
    out.push_back({"log", {"get"}, kind});
  }
  if (definition.type.plural == "namespaces" && definition.type.group.empty()) {
    out.push_back({"finalize", {"update"}, kind});
  }
  return out;
}

bool serves(const Definition& definition, const std::string& version) {
  return std::ranges::find(definition.versions, version) != definition.versions.end();
}

Json group_entry(const std::string& name, const std::vector<DefinitionPtr>& definitions) {
  Json versions = Json::array();
  for (const std::string& version : versions_of(definitions)) {
    versions.push_back(
        {{"groupVersion", fmt::format("{}/{}", name, version)}, {"version", version}});
  }
  return {{"name", name}, {"versions", versions}, {"preferredVersion", versions[0]}};
}

Json aggregated_resource(const Definition& definition, const std::string& version) {
  Json out{{"resource", definition.type.plural},
           {"responseKind", kind_of(definition, version)},
           {"scope", definition.type.namespaced ? "Namespaced" : "Cluster"},
           {"singularResource", definition.singular},
           {"verbs", verbs_of(definition)}};
  if (!definition.short_names.empty()) out["shortNames"] = definition.short_names;
  if (!definition.categories.empty()) out["categories"] = definition.categories;
  for (const Subresource& subresource : subresources_of(definition, version)) {
    out["subresources"].push_back({{"subresource", subresource.name},
                                   {"responseKind", subresource.kind},
                                   {"verbs", subresource.verbs}});
  }
  return out;
}

Json aggregated_group(const std::string& name, const std::vector<DefinitionPtr>& definitions) {
  Json item{{"metadata", Json::object()}, {"versions", Json::array()}};
  if (!name.empty()) item["metadata"]["name"] = name;
  for (const std::string& version : versions_of(definitions)) {
    Json resources = Json::array();
    for (const DefinitionPtr& definition : definitions) {
      if (serves(*definition, version))
        resources.push_back(aggregated_resource(*definition, version));
    }
    item["versions"].push_back(
        {{"version", version}, {"freshness", "Current"}, {"resources", std::move(resources)}});
  }
  return item;
}

// Exact token compare: a client decodes by the response's content type (finding 5 of the spec).
std::string aggregated_version(std::string_view accept) {
  for (const std::string_view part : base::split(accept, ',')) {
    std::string version;
    bool discovery = false;
    bool list = false;
    for (const std::string_view token : base::split(part, ';')) {
      const auto word = base::trim(token);
      if (word == "g=apidiscovery.k8s.io") discovery = true;
      if (word == "as=APIGroupDiscoveryList") list = true;
      if (word == "v=v2" || word == "v=v2beta1") version = word.substr(2);
    }
    if (discovery && list && !version.empty()) return version;
    if (base::trim(part) == "application/json") return {};
  }
  return {};
}

Document aggregated(const std::string& version, Json items) {
  return {"application/json;g=apidiscovery.k8s.io;v=" + version + ";as=APIGroupDiscoveryList",
          base::dump_json({{"kind", "APIGroupDiscoveryList"},
                           {"apiVersion", "apidiscovery.k8s.io/" + version},
                           {"metadata", Json::object()},
                           {"items", std::move(items)}})};
}

}  // namespace

Json version_document() {
  return {{"major", "1"},
          {"minor", "31"},
          {"gitVersion", "v1.31.0+hearth-" HEARTH_VERSION},
          {"gitCommit", ""},
          {"gitTreeState", "clean"},
          {"buildDate", "1970-01-01T00:00:00Z"},
          {"goVersion", "none"},
          {"compiler", "clang"},
          {"platform", "linux/amd64"}};
}

Document core_versions(const DefinitionRegistry& definitions, std::string_view accept,
                       const std::string& server_address) {
  if (const std::string version = aggregated_version(accept); !version.empty()) {
    return aggregated(version, Json::array({aggregated_group("", by_group(definitions)[""])}));
  }
  return {"application/json",
          base::dump_json({{"kind", "APIVersions"},
                           {"versions", {"v1"}},
                           {"serverAddressByClientCIDRs",
                            {{{"clientCIDR", "0.0.0.0/0"}, {"serverAddress", server_address}}}}})};
}

Document groups(const DefinitionRegistry& definitions, std::string_view accept) {
  const std::string version = aggregated_version(accept);
  Json items = Json::array();
  for (const auto& [name, members] : by_group(definitions)) {
    if (name.empty()) continue;
    items.push_back(version.empty() ? group_entry(name, members) : aggregated_group(name, members));
  }
  if (!version.empty()) return aggregated(version, std::move(items));
  return {"application/json",
          base::dump_json(
              {{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", std::move(items)}})};
}

std::optional<Json> group_document(const DefinitionRegistry& definitions,
                                   const std::string& group) {
  const auto all = by_group(definitions);
  const auto it = all.find(group);
  if (it == all.end() || group.empty()) return std::nullopt;
  Json out = group_entry(group, it->second);
  out["kind"] = "APIGroup";
  out["apiVersion"] = "v1";
  return out;
}

std::optional<Json> resource_list(const DefinitionRegistry& definitions, const std::string& group,
                                  const std::string& version) {
  Json resources = Json::array();
  for (const DefinitionPtr& definition : definitions.all()) {
    if (definition->type.group != group || !serves(*definition, version)) continue;
    Json entry{{"name", definition->type.plural},
               {"singularName", definition->singular},
               {"namespaced", definition->type.namespaced},
               {"kind", definition->type.kind},
               {"verbs", verbs_of(*definition)}};
    if (!definition->short_names.empty()) entry["shortNames"] = definition->short_names;
    if (!definition->categories.empty()) entry["categories"] = definition->categories;
    resources.push_back(std::move(entry));
    for (const Subresource& subresource : subresources_of(*definition, version)) {
      resources.push_back({{"name", definition->type.plural + "/" + subresource.name},
                           {"singularName", ""},
                           {"namespaced", definition->type.namespaced},
                           {"group", subresource.kind["group"]},
                           {"version", subresource.kind["version"]},
                           {"kind", subresource.kind["kind"]},
                           {"verbs", subresource.verbs}});
    }
  }
  if (resources.empty()) return std::nullopt;
  return Json{{"kind", "APIResourceList"},
              {"apiVersion", "v1"},
              {"groupVersion", group.empty() ? version : group + "/" + version},
              {"resources", std::move(resources)}};
}

}  // namespace hearth::apiserver
