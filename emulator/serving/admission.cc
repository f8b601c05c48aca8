#include "emulator/serving/admission.h"

#include <map>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "emulator/serving/field_errors.h"
#include "platform/base/text.h"
#include "platform/resource/object.h"
#include "platform/resource/schema.h"

namespace hearth::serving {

using base::string_at;

namespace {

constexpr std::int64_t kConcurrencyMax = 1000;    // container-concurrency-max-limit
constexpr std::int64_t kTimeoutSecondsMax = 600;  // max-revision-timeout-seconds
constexpr const char* kPodPath = "spec.template.spec";
constexpr const char* kNamePath = "spec.template.metadata.name";

// In a Service a target without a revision means the Service's own Configuration.
enum class TrafficOf { kService, kRoute };

bool is_dns_1035_label(std::string_view text) {
  return base::is_dns_label(text) && text.front() >= 'a' && text.front() <= 'z';
}

std::string not_a_label(const std::string& text) {
  return fmt::format(
      "invalid value: not a DNS 1035 label: {} (lower case letters, digits and '-', begins with a "
      "letter, ends with a letter or digit, at most 63 characters)",
      shown(text));
}

void check_text_list(FieldErrors& errors, const Json& parent, const char* name,
                     const std::string& path) {
  const Json* list = errors.list_in(parent, name, path);
  if (list == nullptr) return;
  for (std::size_t i = 0; i < list->size(); ++i) {
    if ((*list)[i].is_string()) continue;
    errors.add(fmt::format("{}[{}]", path, i),
               fmt::format("invalid value: {} is not text (numbers and booleans need quotes)",
                           shown((*list)[i])),
               "FieldValueTypeInvalid");
  }
}

// The elements that are objects, with their paths; what else there is gets refused.
std::vector<std::pair<const Json*, std::string>> objects_of(FieldErrors& errors, const Json* list,
                                                            const std::string& path) {
  std::vector<std::pair<const Json*, std::string>> out;
  if (list == nullptr) return out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    std::string at = fmt::format("{}[{}]", path, i);
    const Json& item = (*list)[i];
    if (item.is_object()) {
      out.emplace_back(&item, std::move(at));
    } else {
      errors.add(std::move(at), fmt::format("invalid value: {} is not an object", shown(item)),
                 "FieldValueTypeInvalid");
    }
  }
  return out;
}

void check_env(FieldErrors& errors, const Json& container, const std::string& path) {
  const Json* env = errors.list_in(container, "env", path);
  for (const auto& [entry, at] : objects_of(errors, env, path)) {
    errors.refuse_others(*entry, {"name", "value", "valueFrom"}, at);
    const bool named = entry->contains("name") && !(*entry)["name"].is_null();
    const auto name = errors.text_in(*entry, "name", at + ".name");
    if (!named || (name && name->empty())) errors.missing(at + ".name");
    (void)errors.text_in(*entry, "value", at + ".value");
    (void)errors.object_in(*entry, "valueFrom", at + ".valueFrom");
  }
}

// The number of ports.
std::size_t check_ports(FieldErrors& errors, const Json& container, const std::string& path) {
  const Json* ports = errors.list_in(container, "ports", path);
  for (const auto& [port, at] : objects_of(errors, ports, path)) {
    errors.refuse_others(*port, {"containerPort", "name", "protocol"}, at);
    (void)errors.integer_in(*port, "containerPort", at + ".containerPort", 0, 65535);
    const auto protocol = errors.text_in(*port, "protocol", at + ".protocol");
    if (protocol && !protocol->empty() && *protocol != "TCP") {
      errors.add(at + ".protocol", fmt::format("invalid value: {}", shown(*protocol)));
    }
    const auto name = errors.text_in(*port, "name", at + ".name");
    if (name && !name->empty() && *name != "http1" && *name != "h2c") {
      errors.add(at + ".name",
                 fmt::format("Port name {} is not allowed, name must be empty, or one of: 'h2c', "
                             "'http1'",
                             shown(*name)));
    }
  }
  return ports == nullptr ? 0 : ports->size();
}

void check_container(FieldErrors& errors, const Json& container, const std::string& path) {
  errors.refuse_others(
      container,
      {"args", "command", "env", "envFrom", "image", "imagePullPolicy", "livenessProbe", "name",
       "ports", "readinessProbe", "resources", "securityContext", "startupProbe",
       "terminationMessagePath", "terminationMessagePolicy", "volumeMounts", "workingDir"},
      path);
  const bool has_image = container.contains("image") && !container["image"].is_null();
  const auto image = errors.text_in(container, "image", path + ".image");
  if (!has_image || (image && image->empty())) errors.missing(path + ".image");
  (void)errors.text_in(container, "workingDir", path + ".workingDir");
  check_text_list(errors, container, "command", path + ".command");
  check_text_list(errors, container, "args", path + ".args");
  check_env(errors, container, path + ".env");
  for (const char* name : {"resources", "readinessProbe", "livenessProbe", "startupProbe"}) {
    (void)errors.object_in(container, name, fmt::format("{}.{}", path, name));
  }
}

void check_containers(FieldErrors& errors, const Json& pod) {
  const std::string path = fmt::format("{}.containers", kPodPath);
  const bool given = pod.contains("containers") && !pod["containers"].is_null();
  const Json* containers = errors.list_in(pod, "containers", path);
  if (!given || (containers != nullptr && containers->empty())) return errors.missing(path);
  std::size_t ports = 0;
  std::set<std::string> names;
  for (const auto& [container, at] : objects_of(errors, containers, path)) {
    check_container(errors, *container, at);
    ports += check_ports(errors, *container, at + ".ports");
    const auto name = errors.text_in(*container, "name", at + ".name");
    if (!name || name->empty()) continue;
    if (*name == "queue-proxy") {
      errors.add(at + ".name", fmt::format("{} is a reserved container name", shown(*name)));
    } else if (!names.insert(*name).second) {
      errors.add(at + ".name", fmt::format("duplicate container name {}", shown(*name)),
                 "FieldValueDuplicate");
    }
  }
  if (ports > 1) {
    errors.add(path + "[*].ports",
               "more than one container port is set, only a single port is allowed across all "
               "containers");
  } else if (ports == 0 && containers != nullptr && containers->size() > 1) {
    errors.missing(path + "[*].ports");
  }
}

void check_pod(FieldErrors& errors, const Json& pod) {
  const auto at = [](const char* name) { return fmt::format("{}.{}", kPodPath, name); };
  // Fields of a pod behind a feature flag are refused: all of those flags are off by default.
  errors.refuse_others(
      pod,
      {"automountServiceAccountToken", "containerConcurrency", "containers", "enableServiceLinks",
       "idleTimeoutSeconds", "imagePullSecrets", "responseStartTimeoutSeconds",
       "serviceAccountName", "timeoutSeconds", "volumes"},
      kPodPath);
  check_containers(errors, pod);
  (void)errors.integer_in(pod, "containerConcurrency", at("containerConcurrency"), 0,
                          kConcurrencyMax);
  (void)errors.integer_in(pod, "timeoutSeconds", at("timeoutSeconds"), 0, kTimeoutSecondsMax);
  (void)errors.text_in(pod, "serviceAccountName", at("serviceAccountName"));
  (void)errors.list_in(pod, "volumes", at("volumes"));
  (void)errors.list_in(pod, "imagePullSecrets", at("imagePullSecrets"));
}

// A name of one's own for the revision changes with the template: else nothing would be rolled out.
void check_revision_name(FieldErrors& errors, const Json& object, const Json& wanted,
                         const Json* old) {
  const Json* metadata = errors.object_in(wanted, "metadata", "spec.template.metadata");
  if (metadata == nullptr) return;
  const std::string name = errors.text_in(*metadata, "name", kNamePath).value_or("");
  if (name.empty()) return;
  const std::string prefix = resource::name_of(object) + "-";
  if (!is_dns_1035_label(name)) errors.add(kNamePath, not_a_label(name));
  if (!name.starts_with(prefix)) {
    errors.add(kNamePath,
               fmt::format("invalid value: {} must have prefix {}", shown(name), shown(prefix)));
  }
  if (old == nullptr || string_at(*old, {"spec", "template", "metadata", "name"}) != name) return;
  if ((*old)["spec"]["template"] != wanted) {
    errors.add(kNamePath, "Saw changes of the template without a name change");
  }
}

void check_template(FieldErrors& errors, const Json& object, const Json& spec, const Json* old) {
  const Json none = Json::object();
  const Json* wanted = errors.object_in(spec, "template", "spec.template");
  if (wanted != nullptr) check_revision_name(errors, object, *wanted, old);
  const Json* pod = wanted == nullptr ? nullptr : errors.object_in(*wanted, "spec", kPodPath);
  check_pod(errors, pod == nullptr ? none : *pod);
}

void check_target(FieldErrors& errors, const Json& target, const std::string& at, TrafficOf of) {
  const std::string revision =
      errors.text_in(target, "revisionName", at + ".revisionName").value_or("");
  const std::string configuration =
      errors.text_in(target, "configurationName", at + ".configurationName").value_or("");
  const auto latest = errors.bool_in(target, "latestRevision", at + ".latestRevision");
  if (latest && *latest == !revision.empty()) {
    errors.add(at + ".latestRevision",
               fmt::format("may not set revisionName {} when latestRevision is {}", shown(revision),
                           *latest));
  }
  const std::string both = fmt::format("{0}.configurationName, {0}.revisionName", at);
  if (of == TrafficOf::kService && !configuration.empty()) {
    errors.add(at + ".configurationName", "must not set the field(s)", "FieldValueForbidden");
  } else if (!revision.empty() && !configuration.empty()) {
    errors.add(at, "expected exactly one, got both", "FieldValueInvalid", both);
  } else if (of == TrafficOf::kRoute && revision.empty() && configuration.empty()) {
    errors.add(at, "expected exactly one, got neither", "FieldValueRequired", both);
  }
  if (target.contains("url") && !target["url"].is_null() && target["url"] != "") {
    errors.add(at + ".url", "must not set the field(s)", "FieldValueForbidden");
  }
}

void check_tags(FieldErrors& errors,
                const std::vector<std::pair<const Json*, std::string>>& targets) {
  std::map<std::string, std::string> seen;  // with its path
  for (const auto& [target, at] : targets) {
    const std::string path = at + ".tag";
    const std::string tag = errors.text_in(*target, "tag", path).value_or("");
    if (tag.empty()) continue;
    if (!is_dns_1035_label(tag)) errors.add(path, not_a_label(tag));
    const auto [first, is_new] = seen.emplace(tag, path);
    if (is_new) continue;
    errors.add(path, fmt::format("Multiple definitions for {}", shown(tag)), "FieldValueDuplicate",
               fmt::format("{}, {}", first->second, path));
  }
}

void check_traffic(FieldErrors& errors, const Json& spec, TrafficOf of) {
  const std::string path = "spec.traffic";
  const bool given = spec.contains("traffic") && !spec["traffic"].is_null();
  const Json* traffic = errors.list_in(spec, "traffic", path);
  if (given && traffic == nullptr) return;
  // A Service without traffic gets all of it on its latest revision.
  if (of == TrafficOf::kService && (traffic == nullptr || traffic->empty())) return;
  const auto targets = objects_of(errors, traffic, path);
  std::int64_t sum = 0;
  bool is_sum_known = true;
  for (const auto& [target, at] : targets) {
    check_target(errors, *target, at, of);
    const bool has_percent = target->contains("percent") && !(*target)["percent"].is_null();
    const auto percent = errors.integer_in(*target, "percent", at + ".percent", 0, 100);
    if (has_percent && !percent) is_sum_known = false;
    sum += percent.value_or(0);
  }
  check_tags(errors, targets);
  if (is_sum_known && sum != 100) {
    errors.add(path, fmt::format("Traffic targets sum to {}, want 100", sum));
  }
}

bool has_spec_to_check(const Json& object, const Json* old) {
  if (old == nullptr) return true;  // also one that says of itself that it is being deleted
  if (resource::is_being_deleted(object)) return false;
  const Json* now = base::find(object, {"spec"});
  const Json* before = base::find(*old, {"spec"});
  return now == nullptr || before == nullptr ? now != before : *now != *before;
}

// `check` gets the errors and the spec, an empty one where there is none.
template <typename Check>
Status admit(const char* kind, const Json& object, const Json* old, const Check& check) {
  if (!has_spec_to_check(object, old)) return {};
  static const Json none = Json::object();
  const Json* spec = base::find(object, {"spec"});
  FieldErrors errors;
  check(errors, spec != nullptr && spec->is_object() ? *spec : none);
  if (errors.empty()) return {};
  return fail(resource::invalid_object(kind, resource::name_of(object), errors.take()));
}

}  // namespace

Status admit_service(const Json& object, const Json* old) {
  return admit("Service.serving.knative.dev", object, old,
               [&](FieldErrors& errors, const Json& spec) {
                 check_template(errors, object, spec, old);
                 check_traffic(errors, spec, TrafficOf::kService);
               });
}

Status admit_configuration(const Json& object, const Json* old) {
  return admit(
      "Configuration.serving.knative.dev", object, old,
      [&](FieldErrors& errors, const Json& spec) { check_template(errors, object, spec, old); });
}

Status admit_route(const Json& object, const Json* old) {
  return admit("Route.serving.knative.dev", object, old, [](FieldErrors& errors, const Json& spec) {
    check_traffic(errors, spec, TrafficOf::kRoute);
  });
}

}  // namespace hearth::serving
