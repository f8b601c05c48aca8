#include "emulator/serving/admission.h"

#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "emulator/serving/field_errors.h"
#include "emulator/serving/pod_rules.h"
#include "emulator/serving/scaling_annotations.h"
#include "platform/base/text.h"
#include "platform/resource/object.h"
#include "platform/resource/schema.h"

namespace hearth::serving {

using base::string_at;

namespace {

constexpr const char* kPodPath = "spec.template.spec";
constexpr const char* kNamePath = "spec.template.metadata.name";
constexpr const char* kAnnotationsPath = "spec.template.metadata.annotations";

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

// A name of one's own for the revision changes with the template: else nothing would be rolled out.
void check_revision_name(FieldErrors& errors, const Json& object, const Json& wanted,
                         const Json& metadata, const Json* old) {
  const std::string name = errors.text_in(metadata, "name", kNamePath).value_or("");
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

void check_metadata(FieldErrors& errors, const Json& object, const Json& wanted, const Json* old) {
  const Json* metadata = errors.object_in(wanted, "metadata", "spec.template.metadata");
  if (metadata == nullptr) return;
  check_revision_name(errors, object, wanted, *metadata, old);
  const Json* annotations = errors.object_in(*metadata, "annotations", kAnnotationsPath);
  if (annotations != nullptr) check_scaling_annotations(errors, *annotations, kAnnotationsPath);
}

void check_template(FieldErrors& errors, const Json& object, const Json& spec, const Json* old) {
  const Json none = Json::object();
  const Json* wanted = errors.object_in(spec, "template", "spec.template");
  if (wanted != nullptr) check_metadata(errors, object, *wanted, old);
  const Json* pod = wanted == nullptr ? nullptr : errors.object_in(*wanted, "spec", kPodPath);
  check_pod(errors, pod == nullptr ? none : *pod, kPodPath);
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
  if (target.contains("url") && !target["url"].is_null() && target["url"] != Json("")) {
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
  const auto targets = errors.objects_of(traffic, path);
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

bool is_going(const Json& object, const Json* old) {
  return old != nullptr && resource::is_being_deleted(object);  // a new one can't say so of itself
}

bool has_new_spec(const Json& object, const Json* old) {
  if (old == nullptr) return true;
  const Json* now = base::find(object, {"spec"});
  const Json* before = base::find(*old, {"spec"});
  return now == nullptr || before == nullptr ? now != before : *now != *before;
}

Status status_of(const char* kind, const Json& object, FieldErrors errors) {
  if (errors.empty()) return {};
  return fail(resource::invalid_object(kind, resource::name_of(object), errors.take()));
}

// `check` gets the errors and the spec, an empty one where there is none.
template <typename Check>
Status admit(const char* kind, const Json& object, const Json* old, const Check& check) {
  if (is_going(object, old)) return {};
  static const Json none = Json::object();
  const Json* spec = base::find(object, {"spec"});
  FieldErrors errors;
  refuse_scaling_annotations(errors, object, old);
  if (has_new_spec(object, old)) check(errors, spec != nullptr && spec->is_object() ? *spec : none);
  return status_of(kind, object, std::move(errors));
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

Status admit_revision(const Json& object, const Json* old) {
  if (old == nullptr || is_going(object, old) || !has_new_spec(object, old)) return {};
  FieldErrors errors;
  errors.add("spec", "Immutable fields changed (-old +new)");
  return status_of("Revision.serving.knative.dev", object, std::move(errors));
}

}  // namespace hearth::serving
