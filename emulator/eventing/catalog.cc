#include "emulator/eventing/catalog.h"

#include <algorithm>

#include "platform/base/text.h"

namespace hearth::eventing {
namespace {

constexpr std::string_view kParallelism = "rabbitmq.eventing.knative.dev/parallelism";
constexpr std::string_view kSubjectMatch = "hearth.local/subject-match";
constexpr std::size_t kParallelismMax = 1'000;
constexpr std::string_view kResponsePrefix = "io.knative.lambda.response.";
constexpr std::string_view kFunctionSource = "io.knative.lambda/";

// The name of the function when the subscriber is a Knative Service of the trigger's namespace.
std::string function_of(const Json& subscriber) {
  const Json* ref = base::find(subscriber, {"ref"});
  if (ref == nullptr || base::string_at(*ref, {"kind"}) != "Service") return {};
  if (!base::string_at(*ref, {"apiVersion"}).starts_with("serving.knative.dev/")) return {};
  return base::string_at(*ref, {"name"});
}

bool is_own_response(const Route& route, const event::CloudEvent& event) {
  if (route.function.empty() || !event.type.starts_with(kResponsePrefix)) return false;
  std::string_view source = event.source;
  if (source.starts_with(kFunctionSource)) source.remove_prefix(kFunctionSource.size());
  return source == route.function || source == route.trigger.ns + "/" + route.function;
}

Json dead_letter_sink_of(const Json* object) {
  if (object == nullptr) return nullptr;
  const Json* sink = base::find(*object, {"spec", "delivery", "deadLetterSink"});
  return sink != nullptr && sink->is_object() && !sink->empty() ? *sink : Json(nullptr);
}

Status compile_spec(Route& route, const Json& trigger, const Json* broker) {
  const Json* delivery = base::find(trigger, {"spec", "delivery"});
  if (delivery == nullptr && broker != nullptr)
    delivery = base::find(*broker, {"spec", "delivery"});
  HEARTH_TRY(policy, parse_delivery(delivery));
  route.policy = policy;
  event::FilterOptions options;
  if (resource::annotation_of(trigger, kSubjectMatch) == "function") {
    options.subject_namespace = route.trigger.ns;
  }
  const Json* spec = base::find(trigger, {"spec"});
  HEARTH_TRY(filter, event::Filter::compile(spec == nullptr ? Json::object() : *spec, options));
  route.filter = filter;
  return {};
}

}  // namespace

Route compile_route(const Json& trigger, const Json* broker, std::size_t parallelism) {
  Route route;
  route.trigger = {resource::uid_of(trigger), resource::namespace_of(trigger),
                   resource::name_of(trigger)};
  route.broker = base::string_at(trigger, {"spec", "broker"});
  if (const Json* subscriber = base::find(trigger, {"spec", "subscriber"})) {
    route.subscriber = *subscriber;
  }
  route.function = function_of(route.subscriber);
  route.dead_letter_sink = dead_letter_sink_of(&trigger);
  if (route.dead_letter_sink.is_null()) route.dead_letter_sink = dead_letter_sink_of(broker);
  const auto wish = base::parse_int<std::size_t>(resource::annotation_of(trigger, kParallelism));
  route.parallelism = std::clamp<std::size_t>(wish.value_or(parallelism), 1, kParallelismMax);
  if (const Status compiled = compile_spec(route, trigger, broker); !compiled) {
    route.active = false;
    route.problem = compiled.error().message;
  }
  return route;
}

bool wants(const Route& route, const event::CloudEvent& event) {
  return route.active && route.filter.matches(event) && !is_own_response(route, event);
}

event::Verdict explain(const Route& route, const event::CloudEvent& event) {
  if (!route.active) return {false, "trigger", route.problem, {}};
  if (is_own_response(route, event)) {
    return {false, "own response", "a function never gets its own responses", {}};
  }
  return route.filter.explain(event);
}

void Catalog::put(RoutePtr route) {
  const resource::ObjectKey key{route->trigger.ns, route->trigger.name};
  remove(key);
  by_key_[key] = route;
  by_id_[route->id] = route;
  by_broker_[{route->trigger.ns, route->broker}].push_back(std::move(route));
}

RoutePtr Catalog::remove(const resource::ObjectKey& key) {
  const auto known = by_key_.find(key);
  if (known == by_key_.end()) return nullptr;
  RoutePtr route = known->second;
  by_key_.erase(known);
  by_id_.erase(route->id);
  const auto home = by_broker_.find({route->trigger.ns, route->broker});
  std::erase(home->second, route);
  if (home->second.empty()) by_broker_.erase(home);
  return route;
}

RoutePtr Catalog::find(const resource::ObjectKey& key) const {
  const auto known = by_key_.find(key);
  return known == by_key_.end() ? nullptr : known->second;
}

RoutePtr Catalog::find(journal::TriggerId id) const {
  const auto known = by_id_.find(id);
  return known == by_id_.end() ? nullptr : known->second;
}

const std::vector<RoutePtr>& Catalog::of_broker(const resource::ObjectKey& broker) const {
  static const std::vector<RoutePtr> kNone;
  const auto known = by_broker_.find(broker);
  return known == by_broker_.end() ? kNone : known->second;
}

std::vector<journal::TriggerId> Catalog::matching(const resource::ObjectKey& broker,
                                                  const event::CloudEvent& event) const {
  std::vector<journal::TriggerId> out;
  for (const RoutePtr& route : of_broker(broker)) {
    if (wants(*route, event)) out.push_back(route->id);
  }
  return out;
}

}  // namespace hearth::eventing
