#include "emulator/serving/revision_spec.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "platform/base/quantity.h"
#include "platform/base/text.h"
#include "platform/resource/object.h"

namespace hearth::serving {
namespace {

constexpr double kUtilisation = 0.7;      // container-concurrency-target-percentage
constexpr double kDefaultTarget = 100.0;  // container-concurrency-target-default
constexpr std::chrono::seconds kMinWindow{6};
constexpr std::chrono::seconds kMaxWindow{3600};

// "min-scale" as "minScale": Knative's older spelling, which manifests still have.
std::string older_spelling(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool is_break = name[i] == '-' && i + 1 < name.size();
    out += is_break ? static_cast<char>(std::toupper(name[++i])) : name[i];
  }
  return out;
}

std::string annotation(const Json& revision, const char* name) {
  const std::string group = "autoscaling.knative.dev/";
  std::string text = resource::annotation_of(revision, group + name);
  if (text.empty()) text = resource::annotation_of(revision, group + older_spelling(name));
  return text;
}

std::vector<std::string> strings(const Json& container, const char* field) {
  std::vector<std::string> out;
  const Json* list = base::find(container, {field});
  if (list == nullptr || !list->is_array()) return out;
  for (const Json& item : *list) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

double number(const std::string& text, double fallback) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty() ? value
                                                                                   : fallback;
}

// Knative's annotations; bounds and defaults are those of its config-autoscaler.
DeciderSettings scaling_of(const Json& revision, std::int64_t concurrency) {
  DeciderSettings out;
  double total = concurrency > 0 ? static_cast<double>(concurrency) : kDefaultTarget;
  const double wished = number(annotation(revision, "target"), 0);
  if (wished > 0) total = concurrency > 0 ? std::min(wished, total) : wished;
  const double utilisation =
      number(annotation(revision, "target-utilization-percentage"), kUtilisation * 100) / 100;
  out.target = std::max(0.01, total * utilisation);
  out.min_scale = static_cast<std::int64_t>(number(annotation(revision, "min-scale"), 0));
  out.max_scale = static_cast<std::int64_t>(number(annotation(revision, "max-scale"), 0));
  if (const auto window = base::parse_go_duration(annotation(revision, "window"))) {
    out.stable_window = std::clamp(std::chrono::duration_cast<std::chrono::seconds>(*window),
                                   kMinWindow, kMaxWindow);
  }
  out.panic_window_percentage = number(annotation(revision, "panic-window-percentage"), 10);
  out.panic_threshold_percentage = number(annotation(revision, "panic-threshold-percentage"), 200);
  return out;
}

void read_container(const Json& container, RevisionSpec& out) {
  using base::string_at;
  out.container = string_at(container, {"name"}, "user-container");
  out.image = string_at(container, {"image"});
  out.command = strings(container, "command");
  out.args = strings(container, "args");
  if (const Json* env = base::find(container, {"env"}); env != nullptr && env->is_array()) {
    out.env = *env;
  }
  out.working_dir = string_at(container, {"workingDir"});
  if (const Json* ports = base::find(container, {"ports"});
      ports != nullptr && ports->is_array() && !ports->empty()) {
    const auto port = base::int_at(ports->front(), {"containerPort"}).value_or(8080);
    if (port > 0 && port <= 65535) out.port = static_cast<std::uint16_t>(port);
  }
  if (base::find(container, {"readinessProbe", "httpGet"}) != nullptr) {
    out.probe_path = string_at(container, {"readinessProbe", "httpGet", "path"}, "/");
  }
  const auto memory = base::parse_quantity(string_at(container, {"resources", "limits", "memory"}));
  if (memory && *memory > 0) out.memory_bytes = static_cast<std::uint64_t>(*memory);
  const auto cpu = base::parse_quantity_milli(string_at(container, {"resources", "limits", "cpu"}));
  if (cpu && *cpu > 0) out.cpu_milli = static_cast<std::uint64_t>(*cpu);
}

}  // namespace

RevisionSpec parse_revision(const Json& revision) {
  RevisionSpec out;
  out.ns = resource::namespace_of(revision);
  out.name = resource::name_of(revision);
  out.uid = resource::uid_of(revision);
  out.configuration = resource::label_of(revision, "serving.knative.dev/configuration");
  out.service = resource::label_of(revision, "serving.knative.dev/service");
  const Json* containers = base::find(revision, {"spec", "containers"});
  if (containers != nullptr && containers->is_array() && !containers->empty()) {
    read_container(containers->front(), out);
  }
  const Json* resolved = base::find(revision, {"status", "containerStatuses"});
  if (resolved != nullptr && resolved->is_array() && !resolved->empty()) {
    out.image_digest = base::string_at(resolved->front(), {"imageDigest"});
  }
  out.concurrency = base::int_at(revision, {"spec", "containerConcurrency"}).value_or(0);
  out.timeout =
      std::chrono::seconds(base::int_at(revision, {"spec", "timeoutSeconds"}).value_or(300));
  out.scaling = scaling_of(revision, out.concurrency);
  out.initial_scale = static_cast<std::int64_t>(number(annotation(revision, "initial-scale"), 1));
  if (const auto retention =
          base::parse_go_duration(annotation(revision, "scale-to-zero-pod-retention-period"))) {
    out.retention = std::chrono::duration_cast<std::chrono::seconds>(*retention);
  }
  return out;
}

}  // namespace hearth::serving
