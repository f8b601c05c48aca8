#include "emulator/eventing/admission.h"

#include <vector>

#include <fmt/format.h>

#include "emulator/eventing/delivery_policy.h"
#include "platform/event/filter.h"
#include "platform/http/client.h"
#include "platform/resource/object.h"

namespace hearth::eventing {

using base::string_at;

namespace {

constexpr const char* kClassAnnotation = "eventing.knative.dev/broker.class";
constexpr const char* kDefaultClass = "MTChannelBasedBroker";
constexpr const char* kInjectionAnnotation = "eventing.knative.dev/injection";
constexpr const char* kBrokerLabel = "eventing.knative.dev/broker";

using Fields = std::vector<FieldError>;

Status finish(Fields fields) {
  if (fields.empty()) return {};
  return fail(Error{Code::kInvalid, fields.front().message, std::move(fields)});
}

void refuse(Fields& fields, std::string field, std::string message) {
  fields.push_back({std::move(field), "FieldValueInvalid", std::move(message)});
}

void take_errors(Fields& fields, const Status& status) {
  // CloudEvents SQL is told by the Trigger's condition.
  if (status || status.error().code != Code::kInvalid) return;
  if (status.error().fields.empty()) refuse(fields, "spec", status.error().message);
  fields.insert(fields.end(), status.error().fields.begin(), status.error().fields.end());
}

template <typename T>
Status status_of(const Result<T>& result) {
  return result ? Status() : Status(fail(result.error()));
}

Json value_at(const Json& object, std::initializer_list<std::string_view> path) {
  const Json* value = base::find(object, path);
  return value == nullptr ? Json() : *value;
}

std::string immutable(const std::string& details) {
  return "Immutable fields changed (-old +new): " + details;
}

// Knative's Destination: a reference, an absolute URL, or a URL relative to the reference.
void check_destination(Fields& fields, const Json& destination, const std::string& field) {
  const Json* ref = base::find(destination, {"ref"});
  const std::string uri = string_at(destination, {"uri"});
  const bool has_ref = ref != nullptr && ref->is_object() && !ref->empty();
  if (!has_ref && uri.empty()) {
    return refuse(fields, field, "expected at least one, got none: ref, uri");
  }
  const bool absolute = uri.contains("://") && http::parse_url(uri).has_value();
  if (!has_ref && !absolute) {
    refuse(fields, field + ".uri",
           fmt::format("Invalid value: \"{}\": Relative URI is not allowed "
                       "when Ref and [apiVersion, kind, name] is absent",
                       uri));
  }
  if (has_ref && !uri.empty() && absolute) {
    refuse(fields, field + ".uri",
           fmt::format("Invalid value: \"{}\": Absolute URI is not allowed when Ref or "
                       "[apiVersion, kind, name] is present",
                       uri));
  }
}

void check_delivery(Fields& fields, const Json& spec) {
  const Json* delivery = base::find(spec, {"delivery"});
  if (delivery == nullptr || !delivery->is_object()) return;
  take_errors(fields, status_of(parse_delivery(delivery)));
  if (const Json* sink = base::find(*delivery, {"deadLetterSink"}); sink && sink->is_object()) {
    check_destination(fields, *sink, "spec.delivery.deadLetterSink");
  }
}

// Knative admits empty values in filters and then never matches them; the Trigger's condition
// tells. Everything else of a filter is checked here.
void fill_empty_values(Json& filter) {
  if (filter.is_string() && filter.get_ref<const std::string&>().empty()) filter = "-";
  if (!filter.is_structured()) return;
  for (Json& child : filter) fill_empty_values(child);
}

void check_filters(Fields& fields, const Json& spec) {
  Json checked = Json::object();
  for (const char* name : {"filter", "filters"}) {
    if (spec.contains(name)) checked[name] = spec[name];
    if (checked.contains(name)) fill_empty_values(checked[name]);
  }
  take_errors(fields, status_of(event::Filter::compile(checked, {})));
}

void check_injection(Fields& fields, const Json& object) {
  const std::string injection = resource::annotation_of(object, kInjectionAnnotation);
  if (injection.empty()) return;
  const std::string field = fmt::format("metadata.annotations[{}]", kInjectionAnnotation);
  if (injection != "enabled" && injection != "disabled") {
    refuse(fields, field, "Invalid value: must be \"enabled\" or \"disabled\"");
  } else if (injection == "enabled" && string_at(object, {"spec", "broker"}) != "default") {
    refuse(fields, field, "Invalid value: only the broker \"default\" can be injected");
  }
}

void default_class(Json& object, const Json* old) {
  if (!resource::annotation_of(object, kClassAnnotation).empty()) return;
  std::string name = old == nullptr ? "" : resource::annotation_of(*old, kClassAnnotation);
  // Objects of before this rule have no class; they may get one now.
  object["metadata"]["annotations"][kClassAnnotation] = name.empty() ? kDefaultClass : name;
}

void default_config(Json& object, const Json* old) {
  if (base::find(object, {"spec", "config"}) != nullptr) return;
  const Json kept = old == nullptr ? Json() : value_at(*old, {"spec", "config"});
  object["spec"]["config"] = kept.is_object() ? kept
                                              : Json{{"apiVersion", "v1"},
                                                     {"kind", "ConfigMap"},
                                                     {"name", "config-br-default-channel"},
                                                     {"namespace", "knative-eventing"}};
}

}  // namespace

Status admit_broker(Json& object, const Json* old) {
  Fields fields;
  if (!object.contains("spec") || !object["spec"].is_object()) object["spec"] = Json::object();
  default_class(object, old);
  default_config(object, old);
  check_delivery(fields, object["spec"]);
  if (old == nullptr) return finish(std::move(fields));
  const std::string was = resource::annotation_of(*old, kClassAnnotation);
  const std::string is = resource::annotation_of(object, kClassAnnotation);
  if (!was.empty() && was != is) {
    refuse(fields, "metadata.annotations",
           fmt::format("Immutable annotations changed (-old +new): {}: -\"{}\" +\"{}\"",
                       kClassAnnotation, was, is));
  }
  const Json before = value_at(*old, {"spec", "config"});
  if (before.is_object() && before != object["spec"]["config"]) {
    refuse(fields, "spec",
           immutable(fmt::format("config: -{} +{}", base::dump_json(before),
                                 base::dump_json(object["spec"]["config"]))));
  }
  return finish(std::move(fields));
}

Status admit_trigger(Json& object, const Json* old) {
  Fields fields;
  if (!object.contains("spec") || !object["spec"].is_object()) return {};  // the schema's error
  Json& spec = object["spec"];
  const std::string broker = string_at(spec, {"broker"});
  if (!broker.empty()) object["metadata"]["labels"][kBrokerLabel] = broker;
  const Json* ref = base::find(spec, {"subscriber", "ref"});
  if (ref != nullptr && ref->is_object() && string_at(*ref, {"namespace"}).empty()) {
    spec["subscriber"]["ref"]["namespace"] = resource::namespace_of(object);
  }
  if (const Json* subscriber = base::find(spec, {"subscriber"}); subscriber != nullptr) {
    check_destination(fields, *subscriber, "spec.subscriber");
  }
  check_filters(fields, spec);
  check_delivery(fields, spec);
  check_injection(fields, object);
  const std::string was = old == nullptr ? broker : string_at(*old, {"spec", "broker"});
  if (was != broker) {
    refuse(fields, "spec", immutable(fmt::format("broker: -\"{}\" +\"{}\"", was, broker)));
  }
  return finish(std::move(fields));
}

}  // namespace hearth::eventing
