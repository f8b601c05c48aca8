#include "emulator/serving/pod_rules.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "emulator/serving/probe_rules.h"
#include "emulator/serving/volume_rules.h"

namespace hearth::serving {

using base::string_at;

namespace {

constexpr std::int64_t kConcurrencyMax = 1000;    // container-concurrency-max-limit
constexpr std::int64_t kTimeoutSecondsMax = 600;  // max-revision-timeout-seconds

// Of the queue proxy beside each container: profiling, HTTP, HTTP/2, administration, metrics.
constexpr std::array<std::int64_t, 6> kReservedPorts{8008, 8012, 8013, 8022, 9090, 9091};

// The container that gets the requests, and those beside it.
enum class Role { kServing, kSidecar };

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

bool is_reserved_variable(std::string_view name, Role role) {
  if (name == "PORT") return role == Role::kServing;
  return name == "K_SERVICE" || name == "K_CONFIGURATION" || name == "K_REVISION";
}

void check_env(FieldErrors& errors, const Json& container, const std::string& path, Role role) {
  const Json* env = errors.list_in(container, "env", path);
  for (const auto& [entry, at] : errors.objects_of(env, path)) {
    errors.refuse_others(*entry, {"name", "value", "valueFrom"}, at);
    const std::string name = errors.required_text_in(*entry, "name", at + ".name");
    if (is_reserved_variable(name, role)) {
      errors.add(at + ".name", fmt::format("{} is a reserved environment variable", shown(name)));
    }
    (void)errors.text_in(*entry, "value", at + ".value");
    (void)errors.object_in(*entry, "valueFrom", at + ".valueFrom");
  }
}

void check_env_from(FieldErrors& errors, const Json& container, const std::string& path) {
  const Json* sources = errors.list_in(container, "envFrom", path);
  for (const auto& [source, at] : errors.objects_of(sources, path)) {
    errors.refuse_others(*source, {"configMapRef", "prefix", "secretRef"}, at);
    errors.exactly_one(*source, {"configMapRef", "secretRef"}, at);
    for (const char* name : {"configMapRef", "secretRef"}) {
      (void)errors.object_in(*source, name, fmt::format("{}.{}", at, name));
    }
  }
}

void check_port(FieldErrors& errors, const Json& port, const std::string& path) {
  errors.refuse_others(port, {"containerPort", "name", "protocol"}, path);
  const auto number = errors.integer_in(port, "containerPort", path + ".containerPort", 0, 65535);
  if (number && std::ranges::find(kReservedPorts, *number) != kReservedPorts.end()) {
    errors.invalid(path + ".containerPort", fmt::format("{} is a reserved port", *number));
  }
  const auto protocol = errors.text_in(port, "protocol", path + ".protocol").value_or("");
  if (!protocol.empty() && protocol != "TCP") errors.invalid(path + ".protocol", protocol);
  const auto name = errors.text_in(port, "name", path + ".name").value_or("");
  if (name.empty() || name == "http1" || name == "h2c") return;
  errors.add(path + ".name",
             fmt::format("Port name {} is not allowed, name must be empty, or one of: 'h2c', "
                         "'http1'",
                         shown(name)));
}

// The number of ports.
std::size_t check_ports(FieldErrors& errors, const Json& container, const std::string& path) {
  const Json* ports = errors.list_in(container, "ports", path);
  for (const auto& [port, at] : errors.objects_of(ports, path)) check_port(errors, *port, at);
  return ports == nullptr ? 0 : ports->size();
}

// Null when it has none.
const Json* first_port(const Json& container) {
  const Json* ports = base::find(container, {"ports"});
  return ports != nullptr && ports->is_array() && !ports->empty() ? &ports->front() : nullptr;
}

// What probes may call the port: Knative's default is "http".
std::string port_name_of(const Json& container) {
  const Json* port = first_port(container);
  const std::string name = port == nullptr ? "" : string_at(*port, {"name"});
  return name.empty() ? "http" : name;
}

void check_container(FieldErrors& errors, const Json& container, const std::string& path,
                     Role role) {
  errors.refuse_others(
      container,
      {"args", "command", "env", "envFrom", "image", "imagePullPolicy", "livenessProbe", "name",
       "ports", "readinessProbe", "resources", "securityContext", "startupProbe",
       "terminationMessagePath", "terminationMessagePolicy", "volumeMounts", "workingDir"},
      path);
  (void)errors.required_text_in(container, "image", path + ".image");
  (void)errors.text_in(container, "workingDir", path + ".workingDir");
  check_text_list(errors, container, "command", path + ".command");
  check_text_list(errors, container, "args", path + ".args");
  check_env(errors, container, path + ".env", role);
  check_env_from(errors, container, path + ".envFrom");
  (void)errors.object_in(container, "resources", path + ".resources");
  (void)errors.object_in(container, "startupProbe", path + ".startupProbe");
  if (role == Role::kServing) {
    check_probes(errors, container, path, port_name_of(container));
  } else {
    refuse_probes(errors, container, path);
  }
}

void check_container_name(FieldErrors& errors, const Json& container, const std::string& path,
                          std::set<std::string>& seen) {
  const std::string name = errors.text_in(container, "name", path).value_or("");
  if (name.empty()) return;
  if (name == "queue-proxy") {
    errors.add(path, fmt::format("{} is a reserved container name", shown(name)));
  } else if (!seen.insert(name).second) {
    errors.add(path, fmt::format("duplicate container name {}", shown(name)),
               "FieldValueDuplicate");
  }
}

void check_containers(FieldErrors& errors, const Json& pod, const std::string& path) {
  const bool given = pod.contains("containers") && !pod["containers"].is_null();
  const Json* containers = errors.list_in(pod, "containers", path);
  if (!given || (containers != nullptr && containers->empty())) return errors.missing(path);
  const auto items = errors.objects_of(containers, path);
  std::size_t ports = 0;
  std::set<std::string> names;
  for (const auto& [container, at] : items) {
    const bool serves = items.size() == 1 || first_port(*container) != nullptr;
    check_container(errors, *container, at, serves ? Role::kServing : Role::kSidecar);
    ports += check_ports(errors, *container, at + ".ports");
    check_container_name(errors, *container, at + ".name", names);
  }
  if (ports > 1) {
    errors.add(path + "[*].ports",
               "more than one container port is set, only a single port is allowed across all "
               "containers");
  } else if (ports == 0 && containers != nullptr && containers->size() > 1) {
    errors.missing(path + "[*].ports");
  }
}

}  // namespace

void check_pod(FieldErrors& errors, const Json& pod, const std::string& path) {
  const auto at = [&](const char* name) { return fmt::format("{}.{}", path, name); };
  // Fields of a pod behind a feature flag are refused: all of those flags are off by default.
  errors.refuse_others(
      pod,
      {"automountServiceAccountToken", "containerConcurrency", "containers", "enableServiceLinks",
       "idleTimeoutSeconds", "imagePullSecrets", "responseStartTimeoutSeconds",
       "serviceAccountName", "timeoutSeconds", "volumes"},
      path);
  check_containers(errors, pod, at("containers"));
  check_volumes(errors, pod, path);
  (void)errors.integer_in(pod, "containerConcurrency", at("containerConcurrency"), 0,
                          kConcurrencyMax);
  (void)errors.integer_in(pod, "timeoutSeconds", at("timeoutSeconds"), 0, kTimeoutSecondsMax);
  (void)errors.text_in(pod, "serviceAccountName", at("serviceAccountName"));
  (void)errors.list_in(pod, "imagePullSecrets", at("imagePullSecrets"));
}

}  // namespace hearth::serving
