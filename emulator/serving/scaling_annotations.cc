#include "emulator/serving/scaling_annotations.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "platform/base/quantity.h"
#include "platform/base/text.h"

namespace hearth::serving {
namespace {

using std::chrono::nanoseconds;

constexpr std::string_view kGroup = "autoscaling.knative.dev";
constexpr std::string_view kPodAutoscaler = "kpa.autoscaling.knative.dev";
constexpr std::string_view kHorizontal = "hpa.autoscaling.knative.dev";
constexpr std::int64_t kScaleMax = std::numeric_limits<std::int32_t>::max();

using Names = std::initializer_list<const char*>;

std::optional<double> parse_number(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

class ScalingRules {
 public:
  ScalingRules(FieldErrors& errors, const Json& annotations, const std::string& path)
      : errors_(errors), annotations_(annotations), path_(path) {}

  void check() {
    check_class();
    check_scales();
    check_percentage({"panic-window-percentage", "panicWindowPercentage"}, 1, 100);
    check_percentage({"panic-threshold-percentage", "panicThresholdPercentage"}, 110, 1000);
    check_percentage({"target-utilization-percentage", "targetUtilizationPercentage"}, 1, 100);
    check_target();
    check_burst();
    check_window({"window"}, std::chrono::seconds(6));
    check_window({"scale-down-delay", "scaleDownDelay"}, std::chrono::seconds(0));
    check_retention();
    check_metric();
    check_algorithm();
    check_initial_scale();
  }

 private:
  struct Found {
    std::string path;
    std::string value;
  };

  std::string path_of(const char* name) const {
    return fmt::format("{}.{}/{}", path_, kGroup, name);
  }

  // The first of the names that is there: the others are older spellings.
  std::optional<Found> find(Names names) const {
    for (const char* name : names) {
      const Json* value = base::find(annotations_, {fmt::format("{}/{}", kGroup, name)});
      if (value == nullptr || !value->is_string()) continue;
      return Found{path_of(name), value->get<std::string>()};
    }
    return std::nullopt;
  }

  std::optional<std::int64_t> scale(Names names) {
    const auto found = find(names);
    if (!found) return std::nullopt;
    const auto value = base::parse_int<std::int64_t>(found->value);
    if (!value) {
      errors_.invalid(found->path, found->value);
    } else if (*value < 0 || *value > kScaleMax) {
      errors_.out_of_bounds(found->path, "0", found->value, fmt::format("{}", kScaleMax));
    } else {
      return value;
    }
    return std::nullopt;
  }

  void check_class() {
    const auto found = find({"class"});
    if (!found || !found->value.ends_with(".knative.dev")) return;
    if (found->value == kPodAutoscaler || found->value == kHorizontal) return;
    errors_.invalid(found->path, found->value);
  }

  void check_scales() {
    const std::int64_t min = scale({"min-scale", "minScale"}).value_or(0);
    const std::int64_t max = scale({"max-scale", "maxScale"}).value_or(0);
    if (max != 0 && max < min) {
      errors_.add(
          path_of("max-scale"), fmt::format("max-scale={} is less than min-scale={}", max, min),
          "FieldValueInvalid", fmt::format("{}, {}", path_of("max-scale"), path_of("min-scale")));
    }
    const auto found = find({"activation-scale"});
    if (!found) return;
    const auto activation = base::parse_int<std::int32_t>(found->value);
    if (!activation) {
      errors_.invalid(found->path, found->value);
    } else if (min > *activation) {
      errors_.add(found->path, fmt::format("min-scale={} is greater than activation-scale={}", min,
                                           *activation));
    } else if (max != 0 && max < *activation) {
      errors_.add(found->path,
                  fmt::format("max-scale={} is less than activation-scale={}", max, *activation));
    } else if (*activation < 2) {
      errors_.add(found->path,
                  fmt::format("activation-scale={} must be greater than 1", *activation));
    }
  }

  void check_percentage(Names names, int min, int max) {
    const auto found = find(names);
    if (!found) return;
    const auto value = parse_number(found->value);
    if (!value) {
      errors_.invalid(found->path, found->value);
    } else if (*value < min || *value > max) {
      errors_.out_of_bounds(found->path, std::to_string(min), found->value, std::to_string(max));
    }
  }

  void check_target() {
    const auto found = find({"target"});
    if (!found) return;
    const auto value = parse_number(found->value);
    if (!value) {
      errors_.invalid(found->path, found->value);
    } else if (*value < 0.01) {
      errors_.add(found->path,
                  fmt::format("target {} should be at least 0.01", shown_bare(found->value)));
    }
  }

  // -1 is without bound.
  void check_burst() {
    const auto found = find({"target-burst-capacity", "targetBurstCapacity"});
    if (!found) return;
    const auto value = parse_number(found->value);
    if (!value || (*value < 0 && *value != -1)) errors_.invalid(found->path, found->value);
  }

  void check_window(Names names, nanoseconds min) {
    constexpr nanoseconds kMax = std::chrono::hours(1);
    const auto found = find(names);
    if (!found) return;
    const auto value = base::parse_go_duration(found->value);
    if (!value) {
      errors_.invalid(found->path, found->value);
    } else if (*value < min || *value > kMax) {
      errors_.out_of_bounds(found->path, base::format_go_duration(min), found->value,
                            base::format_go_duration(kMax));
    } else if (*value % std::chrono::seconds(1) != nanoseconds(0)) {
      errors_.add(found->path, "must be specified with at most second precision");
    }
  }

  // Knative's bound of an hour isn't kept: a LambdaFunction's grace period may be longer.
  void check_retention() {
    const auto found =
        find({"scale-to-zero-pod-retention-period", "scaleToZeroPodRetentionPeriod"});
    if (found && base::parse_go_duration(found->value).value_or(nanoseconds(-1)) < nanoseconds(0)) {
      errors_.invalid(found->path, found->value);
    }
  }

  void check_metric() {
    const auto found = find({"metric"});
    if (!found) return;
    const auto chosen = find({"class"});
    const std::string scaler = chosen ? chosen->value : std::string(kPodAutoscaler);
    const std::string& metric = found->value;
    const bool fits = scaler == kPodAutoscaler ? metric == "concurrency" || metric == "rps"
                                               : scaler != kHorizontal || !metric.empty();
    if (!fits) errors_.invalid(found->path, metric);
  }

  // Other autoscalers may have algorithms of their own.
  void check_algorithm() {
    const auto chosen = find({"class"});
    const auto found = find({"metric-aggregation-algorithm", "metricAggregationAlgorithm"});
    if (!found || !chosen || chosen->value != kPodAutoscaler) return;
    const std::string& name = found->value;
    if (name.empty() || name == "linear" || name == "weighted-exponential" ||
        name == "weightedExponential") {
      return;
    }
    errors_.invalid(found->path, name);
  }

  // allow-zero-initial-scale is off.
  void check_initial_scale() {
    const auto found = find({"initial-scale", "initialScale"});
    if (!found) return;
    const auto value = base::parse_int<std::int64_t>(found->value);
    if (value && *value > 0) return;
    const char* why = !value       ? ""
                      : *value < 0 ? " must be greater than 0"
                                   : "=0 not allowed by cluster";
    errors_.add(found->path, fmt::format("invalid value: {}", shown_bare(found->value)),
                "FieldValueInvalid", found->path + why);
  }

  FieldErrors& errors_;
  const Json& annotations_;
  const std::string& path_;
};

}  // namespace

void check_scaling_annotations(FieldErrors& errors, const Json& annotations,
                               const std::string& path) {
  for (const auto& [name, value] : annotations.items()) {
    if (name.starts_with(kGroup)) {
      (void)errors.text_in(annotations, name.c_str(), fmt::format("{}.{}", path, name));
    }
  }
  ScalingRules(errors, annotations, path).check();
}

void refuse_scaling_annotations(FieldErrors& errors, const Json& object, const Json* old) {
  const Json* annotations = base::find(object, {"metadata", "annotations"});
  if (annotations == nullptr || !annotations->is_object()) return;
  for (const auto& [name, value] : annotations->items()) {
    if (!name.starts_with(kGroup)) continue;
    if (old != nullptr && base::find(*old, {"metadata", "annotations", name}) != nullptr) continue;
    errors.add("metadata.annotations",
               fmt::format("invalid key name {} (autoscaling annotations must be put under "
                           "\"spec.template.metadata.annotations\" to work)",
                           shown(name)));
  }
}

}  // namespace hearth::serving
