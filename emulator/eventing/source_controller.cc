#include "emulator/eventing/source_controller.h"

#include <fmt/format.h>

#include "platform/async/timer.h"
#include "platform/base/bytes.h"
#include "platform/base/random_id.h"
#include "platform/event/http_binding.h"
#include "platform/resource/condition.h"
#include "platform/resource/well_known.h"
#include "platform/telemetry/log.h"

namespace hearth::eventing {
namespace {

constexpr telemetry::Log kLog("eventing");
// As the reference's source: 5 retries, exponential from 50 ms.
constexpr int kRetries = 5;
constexpr std::chrono::milliseconds kRetryDelay{50};
constexpr std::chrono::milliseconds kSendTimeout{30'000};
// The clock may be moved by hand: look at it at least so often.
constexpr std::chrono::milliseconds kTickMax{1'000};
// Less is how clocks are corrected: a tick is late by that much rather than made twice.
constexpr std::chrono::seconds kSetBackMin{5};

Json wrapped(const std::string& data) {
  const auto parsed = base::parse_json(data);
  return parsed && parsed->is_object() ? *parsed : Json{{"body", data}};
}

}  // namespace

const SourceKind kPingSource{resource::kPingSources, "dev.knative.sources.ping", false};
const SourceKind kCronJobSource{resource::kCronJobSources, "dev.knative.cronjob.event", true};

SourceController::SourceController(async::Loop& loop, resource::Store& store,
                                   const base::Clock& clock, const SourceKind& kind,
                                   resource::Informer& sources, const Destinations& destinations,
                                   const Dispatch& dispatch, Deliverer::Publish publish)
    : store_(store),
      clock_(clock),
      kind_(kind),
      sources_(sources),
      destinations_(destinations),
      dispatch_(dispatch),
      publish_(std::move(publish)),
      clock_watch_(clock),
      changed_(loop),
      tasks_(loop),
      controller_(
          loop, kind.type.plural, [this](resource::ObjectKey key) { return reconcile(key); }, 1) {
  sources_.on_change([this](const resource::ObjectPtr& source, bool) {
    controller_.enqueue(resource::key_of(*source));
  });
}

void SourceController::start() {
  controller_.start();
  tasks_.spawn(tick());
}

Task<void> SourceController::stop() {
  stopping_ = true;
  co_await controller_.stop();
  tasks_.cancel();
  co_await tasks_.drain();
}

void SourceController::recheck(const resource::ObjectKey& addressed, bool deleted) {
  for (const resource::ObjectKey& key : referrers_.of(addressed)) {
    const resource::ObjectPtr source = sources_.get(key);
    if (!source) continue;
    if (deleted || !resource::is_condition_true(*source, "SinkProvided")) controller_.enqueue(key);
  }
}

Task<Result<resource::Requeue>> SourceController::reconcile(resource::ObjectKey key) {
  const resource::ObjectPtr known = sources_.get(key);
  if (!known || resource::is_being_deleted(*known)) {
    entries_.erase(key);
    referrers_.erase(key);
    co_return std::nullopt;
  }
  Json source = *known;
  const base::WallTime now = clock_.wall();
  auto plan = plan_of(source);
  const Json* sink_spec = base::find(source, {"spec", "sink"});
  referrers_.put(key, named_objects({sink_spec}, key.ns));
  const auto sink = destinations_.resolve(sink_spec == nullptr ? Json() : *sink_spec, key.ns);
  Json& status = source["status"];
  status["observedGeneration"] = resource::generation_of(source);
  status.erase("sinkUri");
  if (sink) status["sinkUri"] = sink->url;
  resource::Condition provided{"SinkProvided", "True", {}, {}};
  if (!sink) provided = {"SinkProvided", "False", "NotFound", sink.error().message};
  resource::Condition deployed{"Deployed", "True", {}, {}};
  if (!plan) deployed = {"Deployed", "False", "InvalidSpec", plan.error().message};
  resource::Condition ready = plan ? provided : deployed;
  ready.type = "Ready";
  for (const auto& condition : {provided, deployed, ready}) {
    resource::set_condition(source, condition, now);
  }
  if (plan) {
    source["status"]["ceAttributes"] =
        Json::array({{{"type", plan->event.type}, {"source", plan->event.source}}});
    adopt(source, std::move(*plan));
  } else {
    entries_.erase(key);
  }
  HEARTH_CO_CHECK_OK(co_await resource::update_status(store_, kind_.type, key, source["status"]));
  co_return std::nullopt;
}

Result<SourceController::Plan> SourceController::plan_of(const Json& source) const {
  const Json* found = base::find(source, {"spec"});
  const Json spec = found == nullptr ? Json::object() : *found;
  HEARTH_TRY(schedule, event::CronSchedule::parse(base::string_at(spec, {"schedule"}, "* * * * *"),
                                                  base::string_at(spec, {"timezone"})));
  event::CloudEvent event;
  event.id = "unset";  // until it is sent
  event.type = kind_.event_type;
  event.source = fmt::format("/apis/v1/namespaces/{}/{}/{}", resource::namespace_of(source),
                             kind_.type.plural, resource::name_of(source));
  HEARTH_CHECK_OK(set_data(spec, event));
  if (const Json* overrides = base::find(spec, {"ceOverrides", "extensions"});
      overrides != nullptr && overrides->is_object()) {
    for (const auto& [name, value] : overrides->items()) {
      event.set(name, value.is_string() ? value.get<std::string>() : base::dump_json(value));
    }
  }
  HEARTH_CHECK_OK(event::validate(event));
  const Json* sink = base::find(spec, {"sink"});
  return Plan{schedule, std::move(event), sink == nullptr ? Json() : *sink,
              resource::namespace_of(source)};
}

Status SourceController::set_data(const Json& spec, event::CloudEvent& event) const {
  const std::string data = base::string_at(spec, {"data"});
  const std::string encoded = base::string_at(spec, {"dataBase64"});
  if (kind_.always_json) {
    event.datacontenttype = "application/json";
    event.data = base::dump_json(wrapped(data));
    return {};
  }
  event.datacontenttype = base::string_at(spec, {"contentType"});
  if (!data.empty() && !encoded.empty()) {
    return fail(Code::kInvalid, "spec.data and spec.dataBase64 exclude each other");
  }
  event.data = data;
  if (!encoded.empty()) {
    auto bytes = base::from_base64(encoded);
    if (!bytes) return fail(Code::kInvalid, "spec.dataBase64: is no Base64 text");
    event.data = std::move(*bytes);
  }
  if (event.data.empty() || !event::is_json_media_type(event.datacontenttype)) return {};
  const auto parsed = base::parse_json(event.data);
  if (!parsed || !parsed->is_object()) {
    return fail(Code::kInvalid, "spec.data: with a JSON content type it must be a JSON object");
  }
  return {};
}

// A status that changes moves no tick: only a new spec begins a new schedule.
void SourceController::adopt(const Json& source, Plan plan) {
  Entry& entry = entries_[resource::key_of(source)];
  const std::int64_t generation = resource::generation_of(source);
  if (entry.plan && entry.generation == generation && entry.uid == resource::uid_of(source)) return;
  entry = {std::make_shared<const Plan>(std::move(plan)), generation, resource::uid_of(source), {}};
  entry.next = entry.plan->schedule.next_after(clock_.wall());
  changed_.notify();
}

Task<void> SourceController::tick() {
  while (!stopping_) {
    const auto next = fire_due();
    if (!next) {
      co_await changed_.wait();
      continue;
    }
    const auto wait = std::min<std::chrono::nanoseconds>(*next - clock_.wall(), kTickMax);
    if (wait.count() > 0) co_await changed_.wait_for(wait);
  }
}

// Starts what is due; the moment of the next one.
std::optional<base::WallTime> SourceController::fire_due() {
  const base::WallTime now = clock_.wall();
  // A clock that was set back: its ticks come again, rather than none until it has caught up.
  const bool set_back = clock_watch_.moved() <= -kSetBackMin;
  std::optional<base::WallTime> first;
  for (auto& [key, entry] : entries_) {
    if (set_back) entry.next = entry.plan->schedule.next_after(now);
    if (entry.next && *entry.next <= now) {
      tasks_.spawn(fire(entry.plan));
      entry.next = entry.plan->schedule.next_after(now);
    }
    if (entry.next && (!first || *entry.next < *first)) first = entry.next;
  }
  return first;
}

Task<void> SourceController::fire(std::shared_ptr<const Plan> plan) {
  event::CloudEvent event = plan->event;
  event.id = base::random_uuid();
  event.time = base::format_rfc3339_millis(clock_.wall());
  auto delay = kRetryDelay;
  for (int attempt = 0; !stopping_; ++attempt, delay *= 2) {
    const Status sent = co_await send(plan, event);
    if (sent || stopping_) co_return;
    if (attempt == kRetries) {
      kLog.warn("source_event_lost", {{"source", event.source}, {"error", sent.error().message}});
      co_return;
    }
    co_await async::sleep_for(delay);
  }
}

Task<Status> SourceController::send(std::shared_ptr<const Plan> plan, event::CloudEvent event) {
  HEARTH_CO_TRY(sink, destinations_.resolve(plan->sink, plan->ns));
  if (!sink.broker.name.empty()) {
    co_return co_await publish_(sink.broker.ns, sink.broker.name, std::move(event));
  }
  HEARTH_CO_TRY(url, http::parse_url(sink.url));
  http::Headers headers;
  std::string body = event::encode(event, headers);
  HEARTH_CO_TRY(response, co_await dispatch_(std::move(url), std::move(headers), std::move(body),
                                             kSendTimeout));
  if (response.head.status / 100 == 2) co_return Status();
  co_return fail(Code::kUnavailable, fmt::format("HTTP {}", response.head.status));
}

}  // namespace hearth::eventing
