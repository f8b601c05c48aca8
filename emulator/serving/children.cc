#include "emulator/serving/children.h"

#include <iterator>

#include <fmt/format.h>

#include "platform/resource/well_known.h"

namespace hearth::serving {

using namespace resource;

std::string label(std::string_view name) { return fmt::format("serving.knative.dev/{}", name); }

std::string revision_name(const std::string& configuration, std::int64_t generation) {
  return fmt::format("{}-{:05}", configuration, generation);
}

namespace {

void copy_map(const Json& from, const char* field, Json& to) {
  const Json* map = base::find(from, {"metadata", field});
  if (map == nullptr || !map->is_object()) return;
  for (const auto& [key, value] : map->items()) {
    if (key != "kubectl.kubernetes.io/last-applied-configuration")
      to["metadata"][field][key] = value;
  }
}

// Outside a template they say nothing and a new object may not have them; an owner from before that
// rule may.
void drop_scaling_annotations(Json& object) {
  if (!object["metadata"].contains("annotations")) return;
  Json& annotations = object["metadata"]["annotations"];
  for (auto it = annotations.begin(); it != annotations.end();) {
    it = it.key().starts_with("autoscaling.knative.dev") ? annotations.erase(it) : std::next(it);
  }
}

Json template_of(const Json& object) {
  const Json* found = base::find(object, {"spec", "template"});
  return found != nullptr && found->is_object() ? *found : Json::object();
}

Json child_of(const Type& type, const Json& owner, const std::string& name) {
  Json child = new_object(type, {namespace_of(owner), name});
  copy_map(owner, "labels", child);
  copy_map(owner, "annotations", child);
  drop_scaling_annotations(child);
  set_controller(child, owner);
  return child;
}

}  // namespace

Json configuration_of(const Json& service) {
  Json config = child_of(kConfigurations, service, name_of(service));
  config["metadata"]["labels"][label("service")] = name_of(service);
  config["metadata"]["labels"][label("serviceUID")] = uid_of(service);
  config["spec"]["template"] = template_of(service);
  return config;
}

Json route_of(const Json& service) {
  Json route = child_of(kRoutes, service, name_of(service));
  route["metadata"]["labels"][label("service")] = name_of(service);
  const Json* wanted = base::find(service, {"spec", "traffic"});
  Json traffic = wanted != nullptr && wanted->is_array() && !wanted->empty()
                     ? *wanted
                     : Json::array({{{"latestRevision", true}, {"percent", 100}}});
  for (Json& target : traffic) {
    // In a Service "latest" means its own configuration.
    if (!target.is_object() || !base::string_at(target, {"revisionName"}).empty()) continue;
    target.erase("revisionName");
    target["configurationName"] = name_of(service);
  }
  route["spec"]["traffic"] = std::move(traffic);
  return route;
}

Json revision_of(const Json& configuration, const std::string& name) {
  const Json pod_template = template_of(configuration);
  Json revision = new_object(kRevisions, {namespace_of(configuration), name});
  copy_map(pod_template, "labels", revision);
  copy_map(pod_template, "annotations", revision);
  Json& labels = revision["metadata"]["labels"];
  labels[label("configuration")] = name_of(configuration);
  labels[label("configurationGeneration")] = std::to_string(generation_of(configuration));
  labels[label("configurationUID")] = uid_of(configuration);
  labels[label("service")] = label_of(configuration, label("service"));
  labels[label("serviceUID")] = label_of(configuration, label("serviceUID"));
  labels[label("routingState")] = "active";
  set_controller(revision, configuration);
  revision["spec"] = pod_template.value("spec", Json::object());
  return revision;
}

}  // namespace hearth::serving
