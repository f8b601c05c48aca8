#include "emulator/eventing/ingress.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "platform/base/text.h"
#include "platform/event/http_binding.h"
#include "platform/telemetry/log.h"
#include "platform/telemetry/trace.h"

namespace hearth::eventing {
namespace {

constexpr telemetry::Log kLog("eventing");
constexpr int kTtlMax = 255;
// A chain of replies this long is most likely a loop; it ends at kTtlMax.
constexpr int kHopsSuspicious = 10;
constexpr std::string_view kTtl = "knativebrokerttl";
constexpr std::chrono::seconds kStartWait{10};
constexpr std::string_view kRetryAfterSeconds = "1";

constexpr std::array<std::pair<Code, int>, 7> kStatusOf{{{Code::kInvalid, 400},
                                                         {Code::kBadRequest, 400},
                                                         {Code::kNotFound, 404},
                                                         {Code::kTooLarge, 413},
                                                         {Code::kUnsupported, 415},
                                                         {Code::kUnavailable, 503},
                                                         {Code::kStorageFull, 503}}};

int status_of(Code code) {
  for (const auto& [known, status] : kStatusOf) {
    if (known == code) return status;
  }
  return 500;
}

// RFC 9457, with the attribute that is wrong.
Task<void> respond_problem(http::Exchange& exchange, Error error) {
  http::ResponseHead head{.status = status_of(error.code), .headers = {}};
  Json problem{{"type", "about:blank"},
               {"title", http::reason_phrase(head.status)},
               {"status", head.status},
               {"detail", error.message}};
  if (!error.fields.empty()) problem["attribute"] = error.fields.front().field;
  head.headers.add("Content-Type", "application/problem+json");
  head.headers.add("Allow", "POST, OPTIONS");
  if (head.status == 503) head.headers.add("Retry-After", kRetryAfterSeconds);
  co_await exchange.respond(head, base::dump_json(problem));
}

// Consent to web hooks: everyone may send, at any rate.
Task<void> respond_options(http::Exchange& exchange) {
  http::ResponseHead head;
  const http::Headers& asked = exchange.request().headers;
  head.headers.add("Allow", "POST, OPTIONS");
  head.headers.add("WebHook-Allowed-Origin", asked.get_or("webhook-request-origin", "*"));
  head.headers.add("WebHook-Allowed-Rate", "*");
  co_await exchange.respond(head, "");
}

bool travels_on(std::string_view name) {
  const auto is = [&](std::string_view whole) { return base::equal_ignoring_case(name, whole); };
  const auto begins = [&](std::string_view prefix) {
    return base::equal_ignoring_case(name.substr(0, prefix.size()), prefix);
  };
  return is("x-request-id") || is("retry-after") || is("tracestate") || begins("knative-") ||
         begins("x-b3-");
}

// What of the producer's request reaches the subscribers, and the trace it belongs to.
std::vector<event::Attribute> headers_to_keep(const http::Headers& headers) {
  std::vector<event::Attribute> kept;
  const auto header = headers.get("traceparent");
  auto trace = header ? telemetry::parse_traceparent(*header) : std::nullopt;
  if (!trace) {
    const auto extension = headers.get("ce-traceparent");
    trace = extension ? telemetry::parse_traceparent(*extension) : std::nullopt;
  }
  kept.push_back(
      {"traceparent", trace ? trace->traceparent() : telemetry::new_trace().traceparent()});
  for (const auto field : headers) {
    if (travels_on(field.name) && http::is_field_value(field.value)) {
      kept.push_back({base::lower(field.name), std::string(field.value)});
    }
  }
  return kept;
}

// Batches are an extension: Knative's brokers refuse them.
Result<std::vector<event::CloudEvent>> decode_post(const http::Headers& headers, std::string body) {
  if (event::mode_of(headers.get_or("content-type", "")) == event::Mode::kBatched) {
    return event::decode_batch(headers, body);
  }
  HEARTH_TRY(event, event::decode(headers, std::move(body)));
  std::vector<event::CloudEvent> events;
  events.push_back(std::move(event));
  return events;
}

std::string_view trace_id_of(const std::vector<event::Attribute>& headers) {
  const auto it = std::ranges::find(headers, "traceparent", &event::Attribute::name);
  return it == headers.end() ? std::string_view() : telemetry::trace_id_of(it->value);
}

}  // namespace

Ingress::Ingress(async::Loop& loop, const base::Clock& clock, journal::Journal& journal,
                 const resource::Informer& brokers, const Catalog& catalog, Deliverer& deliverer,
                 EventingMetrics& metrics, const Options& options)
    : clock_(clock),
      journal_(journal),
      brokers_(brokers),
      catalog_(catalog),
      deliverer_(deliverer),
      metrics_(metrics),
      options_(options),
      phase_changed_(loop) {}

void Ingress::open() {
  phase_ = Phase::kOpen;
  phase_changed_.notify();
}

void Ingress::close() {
  phase_ = Phase::kClosed;
  phase_changed_.notify();
}

Task<void> Ingress::handle(http::Exchange& exchange, std::string ns, std::string broker) {
  const std::string& method = exchange.request().method;
  if (method == "OPTIONS") co_return co_await respond_options(exchange);
  if (method == "POST") {
    co_return co_await take_post(exchange, std::move(ns), std::move(broker));
  }
  http::ResponseHead head{.status = 405, .headers = {}};
  head.headers.add("Allow", "POST, OPTIONS");
  co_await exchange.respond(head, "");
}

Task<void> Ingress::take_post(http::Exchange& exchange, std::string ns, std::string broker) {
  auto body = co_await exchange.read_all(options_.event_bytes_max);
  if (!body) {
    Error error = body.error();
    if (error.code == Code::kTooLarge) {
      error.message = fmt::format("an event may have {} bytes", options_.event_bytes_max);
    }
    co_return co_await respond_problem(exchange, std::move(error));
  }
  const http::Headers& headers = exchange.request().headers;
  auto events = decode_post(headers, std::move(*body));
  Status accepted = events ? Status() : fail(events.error());
  if (events) {
    accepted = co_await accept(std::move(ns), std::move(broker), std::move(*events),
                               headers_to_keep(headers));
  }
  if (!accepted) metrics_.refused.add();
  if (!accepted) co_return co_await respond_problem(exchange, accepted.error());
  http::ResponseHead head{.status = 202, .headers = {}};
  head.headers.add("Allow", "POST, OPTIONS");
  co_await exchange.respond(head, "");
}

Task<Status> Ingress::publish(std::string ns, std::string broker, event::CloudEvent event) {
  HEARTH_CO_CHECK_OK(event::validate(event));
  // Replies come from inside; their size has the bound of those that are posted.
  if (event.data.size() > options_.event_bytes_max) {
    co_return fail(Code::kInvalid, fmt::format("an event of {} bytes; it may have {}",
                                               event.data.size(), options_.event_bytes_max));
  }
  const auto parent = event.attribute("traceparent");
  const auto trace = parent ? telemetry::parse_traceparent(*parent) : std::nullopt;
  std::vector<event::Attribute> headers;
  headers.push_back({"traceparent", (trace ? *trace : telemetry::new_trace()).traceparent()});
  std::vector<event::CloudEvent> events;
  events.push_back(std::move(event));
  co_return co_await accept(std::move(ns), std::move(broker), std::move(events),
                            std::move(headers));
}

Task<Status> Ingress::accept(std::string ns, std::string broker,
                             std::vector<event::CloudEvent> events,
                             std::vector<event::Attribute> headers) {
  if (phase_ == Phase::kStarting) co_await phase_changed_.wait_for(kStartWait);
  if (phase_ != Phase::kOpen) co_return fail(Code::kUnavailable, "the broker is not up");
  const resource::ObjectKey key{std::move(ns), std::move(broker)};
  if (!brokers_.get(key)) co_return fail(unknown_broker(key.ns, key.name));
  const base::WallTime now = clock_.wall();
  std::vector<journal::NewEvent> stored;
  for (event::CloudEvent& event : events) {
    HEARTH_CO_CHECK_OK(stamp(event, now, trace_id_of(headers)));
    // The triggers of this moment get the event.
    auto triggers = catalog_.matching(key, event);
    const bool last = &event == &events.back();  // most are alone: nothing is copied for them
    journal::Entry entry{.ns = key.ns,
                         .broker = key.name,
                         .received = now,
                         .event = std::move(event),
                         .headers = last ? std::exchange(headers, {}) : headers};
    stored.push_back(
        {std::make_shared<const journal::Entry>(std::move(entry)), std::move(triggers)});
  }
  if (stored.empty()) co_return Status();
  telemetry::Counter& counted = metrics_.accepted[{key.ns, key.name}];
  HEARTH_CO_TRY(first, co_await journal_.append(stored));
  counted.add(stored.size());
  for (std::size_t i = 0; i < stored.size(); ++i) {
    for (const journal::TriggerId trigger : stored[i].triggers) {
      deliverer_.push(trigger, first + static_cast<journal::Sequence>(i));
    }
  }
  co_return Status();
}

Status Ingress::stamp(event::CloudEvent& event, base::WallTime now,
                      std::string_view trace_id) const {
  int ttl = kTtlMax;
  if (const auto text = event.attribute(kTtl)) {
    // Whoever sends it may write anything.
    if (const auto left = base::parse_int<int>(*text)) ttl = std::clamp(*left, 0, kTtlMax) - 1;
  }
  if (ttl <= 0) {
    return fail(
        event::attribute_error(kTtl, "the event's hops are used up; replies run in a loop"));
  }
  if (ttl == kTtlMax - kHopsSuspicious) {
    kLog.warn("event_hops_suspicious",
              {{"type", event.type}, {"hops", kHopsSuspicious}, {"trace_id", trace_id}});
  }
  event.set(kTtl, std::to_string(ttl));
  event.set("knativearrivaltime", base::format_rfc3339_micros(now));
  return {};
}

Error Ingress::unknown_broker(const std::string& ns, const std::string& broker) const {
  std::vector<std::string> names;
  for (const auto& object : brokers_.in_namespace(ns)) names.push_back(resource::name_of(*object));
  std::string message = fmt::format("no broker \"{}\" in namespace \"{}\"", broker, ns);
  const auto near = base::nearest(broker, names);
  if (near) message += fmt::format("; did you mean \"{}\"?", *near);
  if (!near && names.empty()) {
    for (const auto& [key, object] : brokers_.all()) {
      if (key.name == broker) message += fmt::format("; there is \"{}\"", key.text());
    }
  }
  return {Code::kNotFound, std::move(message), {}};
}

}  // namespace hearth::eventing
