#include "emulator/eventing/deliverer.h"

#include <fmt/format.h>

#include "platform/async/signal.h"
#include "platform/base/bytes.h"
#include "platform/event/http_binding.h"
#include "platform/resource/well_known.h"
#include "platform/telemetry/log.h"
#include "platform/telemetry/trace.h"

namespace hearth::eventing {
namespace {

using journal::DeliveryState;
using journal::Outcome;
using journal::SinkState;

constexpr telemetry::Log kLog("eventing");
constexpr std::size_t kLoadPage = 10'000;
constexpr std::size_t kSinkParallelism = 4;
// Outcomes that may be on their way to the disk while lanes go on.
constexpr std::size_t kRecordingMax = 1'000;
constexpr std::chrono::seconds kStorageRetry{1};
// 1,024 characters of Base64, cut on a boundary of four.
constexpr std::size_t kErrorDataBytesMax = 768;
constexpr std::string_view kTtl = "knativebrokerttl";
constexpr std::string_view kTtlHeader = "ce-knativebrokerttl";

http::Headers delivery_headers(const journal::Entry& entry) {
  http::Headers headers;
  for (const auto& [name, value] : entry.headers) {
    const auto trace = name == "traceparent" ? telemetry::parse_traceparent(value) : std::nullopt;
    headers.add(name, trace ? trace->child().traceparent() : value);
  }
  return headers;
}

// Adds the event in the wanted mode and returns the body; the hop counter stays inside.
std::string encode(const event::CloudEvent& event, Format format, http::Headers& headers) {
  if (format == Format::kBinary && event::can_be_binary(event)) {
    event::encode_binary(event, headers);
    headers.remove(kTtlHeader);
    return event.data;
  }
  event::CloudEvent visible = event;
  visible.remove_extension(kTtl);
  headers.add("Content-Type", event::kStructuredContentType);
  return event::encode_structured(visible);
}

std::string_view trace_id_of(const journal::Entry& entry) {
  const auto it = std::ranges::find(entry.headers, "traceparent", &event::Attribute::name);
  return it == entry.headers.end() ? std::string_view() : telemetry::trace_id_of(it->value);
}

// Text that may be an attribute's value.
std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return text;
}

// Without its outcome the delivery is made again after a restart: at least once.
void check_recorded(const Result<std::int64_t>& recorded) {
  if (!recorded) kLog.error("outcome_not_recorded", {{"error", recorded.error().message}});
}

}  // namespace

// Outcomes that nobody waits for. Shared with the journal, which may still hold some in the end.
struct Deliverer::Recording {
  explicit Recording(async::Loop& loop) : ended(loop) {}
  std::size_t outcomes = 0;
  async::Signal ended;
};

Deliverer::Deliverer(async::Loop& loop, const base::Clock& clock, journal::Journal& journal,
                     const Catalog& catalog, const Destinations& destinations,
                     const Dispatch& dispatch, Publish publish, EventingMetrics& metrics,
                     const Options& options)
    : loop_(loop),
      clock_(clock),
      journal_(journal),
      catalog_(catalog),
      destinations_(destinations),
      dispatch_(dispatch),
      publish_(std::move(publish)),
      metrics_(metrics),
      options_(options),
      recording_(std::make_shared<Recording>(loop)) {}

Status Deliverer::open(const Route& route) {
  if (const auto known = lanes_.find(route.id); known != lanes_.end()) {
    known->second.deliveries->set_parallelism(route.parallelism);
    return {};
  }
  const journal::TriggerId id = route.id;
  Lanes lanes{.deliveries = std::make_shared<Lane>(
                  loop_, clock_, route.parallelism,
                  [this, id](Lane::Key key, int attempts) { return deliver(id, key, attempts); }),
              .sinks = std::make_shared<Lane>(
                  loop_, clock_, kSinkParallelism,
                  [this, id](Lane::Key key, int attempts) { return forward(id, key, attempts); })};
  HEARTH_CHECK_OK(load(route, lanes));
  lanes_.emplace(id, std::move(lanes));
  return {};
}

// What a former run left; for a new trigger that is nothing.
Status Deliverer::load(const Route& route, const Lanes& lanes) {
  journal::Sequence after = 0;
  while (true) {
    HEARTH_TRY(page, journal_.pending(route.id, after, kLoadPage));
    for (const journal::Pending& pending : page) {
      if (pending.attempts == 0)
        lanes.deliveries->push(pending.sequence);
      else
        lanes.deliveries->push_later(
            pending.sequence, {pending.attempts, clock_.monotonic() + wait_of(route, pending)});
    }
    if (page.size() < kLoadPage) break;
    after = page.back().sequence;
  }
  HEARTH_TRY(due, journal_.due_for_sink(route.id));
  for (const std::int64_t id : due) lanes.sinks->push(id);
  return {};
}

// What is left of a retry's wait, by the moment that was written down. Never longer than its policy
// allows: the clock may have been set back since.
std::chrono::nanoseconds Deliverer::wait_of(const Route& route,
                                            const journal::Pending& pending) const {
  using std::chrono::nanoseconds;
  const nanoseconds longest =
      wait_before_retry(route.policy, pending.attempts, options_.backoff_max, nanoseconds::max());
  return std::clamp<nanoseconds>(pending.not_before - clock_.wall(), nanoseconds(0), longest);
}

Task<void> Deliverer::close(journal::TriggerId id) {
  const auto known = lanes_.find(id);
  if (known == lanes_.end()) co_return;
  const Lanes lanes = known->second;
  lanes_.erase(known);
  // Kept until stop(), should the waiting below be cut off.
  retired_.push_back(lanes);
  lanes.deliveries->close();
  lanes.sinks->close();
  co_await lanes.deliveries->drain();
  co_await lanes.sinks->drain();
  std::erase_if(retired_, [&](const Lanes& old) { return old.deliveries == lanes.deliveries; });
}

void Deliverer::push(journal::TriggerId id, journal::Sequence sequence) {
  // Gone since the event was matched: its purge comes after the event in the journal.
  if (const auto known = lanes_.find(id); known != lanes_.end()) {
    known->second.deliveries->push(sequence);
  }
}

std::size_t Deliverer::waiting(journal::TriggerId id) const {
  const auto known = lanes_.find(id);
  return known == lanes_.end() ? 0 : known->second.deliveries->waiting();
}

Task<void> Deliverer::stop() {
  stopping_ = true;
  for (auto& [id, lanes] : lanes_) retired_.push_back(lanes);
  lanes_.clear();
  for (const Lanes& lanes : retired_) {
    lanes.deliveries->close();
    lanes.sinks->close();
  }
  for (const Lanes& lanes : retired_) {
    co_await lanes.deliveries->drain();
    co_await lanes.sinks->drain();
  }
  retired_.clear();
  while (recording_->outcomes > 0) co_await recording_->ended.wait();
}

std::chrono::milliseconds Deliverer::timeout_of(const Route& route) const {
  if (!route.policy.timeout) return options_.attempt_timeout;
  return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(*route.policy.timeout),
                  std::chrono::milliseconds(1));
}

Task<Deliverer::Again> Deliverer::deliver(journal::TriggerId id, journal::Sequence sequence,
                                          int attempts) {
  const RoutePtr route = catalog_.find(id);
  if (!route) co_return std::nullopt;
  auto entry = journal_.read(sequence);
  if (!entry) co_return Lane::Again{attempts, clock_.monotonic() + kStorageRetry};
  if (!*entry) co_return std::nullopt;
  const auto started = std::chrono::steady_clock::now();
  Attempt attempt = co_await send(route, *entry);
  // Cut off: the journal still says that it waits.
  if (stopping_ || !catalog_.find(id)) co_return std::nullopt;
  metrics_.of(*route).attempts.observe(attempt.code == 0 ? 500 : attempt.code,
                                       std::chrono::steady_clock::now() - started);
  if (!attempt.delivered) {
    co_return co_await settle_failure(route, *entry, sequence, attempts, std::move(attempt));
  }
  metrics_.of(*route).delivered.add();
  Outcome outcome{
      .sequence = sequence, .trigger = id, .attempts = attempts + 1, .code = attempt.code};
  if (recording_->outcomes < kRecordingMax)
    record_in_background(std::move(outcome));
  else
    check_recorded(co_await journal_.record(std::move(outcome)));
  co_return std::nullopt;
}

void Deliverer::record_in_background(Outcome outcome) {
  ++recording_->outcomes;
  journal_.record(std::move(outcome), [recording = recording_](const Result<std::int64_t>& id) {
    --recording->outcomes;
    recording->ended.notify();
    check_recorded(id);
  });
}

Task<Deliverer::Attempt> Deliverer::send(RoutePtr route, journal::EntryPtr entry) {
  const auto subscriber = destinations_.resolve(route->subscriber, route->trigger.ns);
  if (!subscriber) {
    Attempt attempt;
    attempt.reason = "subscriber: " + subscriber.error().message;
    co_return attempt;
  }
  if (!subscriber->broker.name.empty()) co_return co_await hand_over(*subscriber, entry->event);
  http::Headers headers = delivery_headers(*entry);
  headers.add("Prefer", "reply");
  headers.add("Kn-Namespace", route->trigger.ns);
  std::string body = encode(entry->event, route->policy.format, headers);
  auto url = http::parse_url(subscriber->url);
  Attempt attempt;
  attempt.destination = subscriber->url;
  if (!url) {
    attempt.reason = url.error().message;
    co_return attempt;
  }
  auto response =
      co_await dispatch_(std::move(*url), std::move(headers), std::move(body), timeout_of(*route));
  if (!response) {
    attempt.reason = response.error().message;
    co_return attempt;
  }
  co_return co_await take_reply(route, entry, std::move(*response), std::move(attempt));
}

// To a Broker of this house, without HTTP: the hop counter stays with the event, so that brokers
// that feed each other come to an end.
Task<Deliverer::Attempt> Deliverer::hand_over(Destination broker, event::CloudEvent event) {
  const Status stored = co_await publish_(broker.broker.ns, broker.broker.name, std::move(event));
  Attempt attempt{.delivered = stored.has_value(), .destination = broker.url};
  attempt.code = stored ? 202 : 0;
  if (!stored) {
    attempt.reason = stored.error().message;
    attempt.retryable = stored.error().code != Code::kInvalid;
  }
  co_return attempt;
}

// What Knative's brokers make of an answer.
Task<Deliverer::Attempt> Deliverer::take_reply(RoutePtr route, journal::EntryPtr entry,
                                               http::Response response, Attempt attempt) {
  attempt.code = response.head.status;
  if (attempt.code / 100 != 2) {
    attempt.retryable = is_retryable(attempt.code);
    attempt.reason = fmt::format("HTTP {} {}", attempt.code, http::reason_phrase(attempt.code));
    attempt.retry_after = retry_after_of(response.head, clock_.wall());
    attempt.body = response.body.substr(0, kErrorDataBytesMax);
    co_return attempt;
  }
  attempt.delivered = true;
  auto reply = event::decode_reply(response.head.headers, std::move(response.body));
  if (!reply) {
    attempt.delivered = false;
    attempt.reason = "malformed reply: " + reply.error().message;
    co_return attempt;
  }
  // A body that is no event is a plain answer, which nobody waits for.
  if (!*reply) co_return attempt;
  // The hop counter goes with the reply; publish() counts it down.
  if (const auto ttl = entry->event.attribute(kTtl)) (*reply)->set(kTtl, std::string(*ttl));
  const Status stored = co_await publish_(entry->ns, entry->broker, std::move(**reply));
  if (stored) co_return attempt;
  attempt.delivered = false;
  attempt.reason = "reply not stored: " + stored.error().message;
  // Its hops are used up: no later attempt changes that.
  attempt.retryable = stored.error().code != Code::kInvalid;
  co_return attempt;
}

Task<Deliverer::Again> Deliverer::settle_failure(RoutePtr route, journal::EntryPtr entry,
                                                 journal::Sequence sequence, int attempts,
                                                 Attempt attempt) {
  const int made = attempts + 1;
  Outcome outcome{.sequence = sequence,
                  .trigger = route->id,
                  .state = DeliveryState::kPending,
                  .attempts = made,
                  .code = attempt.code,
                  .reason = attempt.reason,
                  .destination = attempt.destination,
                  .body_excerpt = attempt.body};
  if (!attempt.retryable || made > route->policy.retry) {
    co_return co_await bury(route, std::move(entry), std::move(outcome));
  }
  const auto wait =
      wait_before_retry(route->policy, made, options_.backoff_max, attempt.retry_after);
  outcome.not_before = clock_.wall() + wait;
  const Lane::Again again{made, clock_.monotonic() + wait};
  metrics_.of(*route).retried.add();
  kLog.info("delivery_failed", {{"trigger", route->trigger.ns + "/" + route->trigger.name},
                                {"attempt", made},
                                {"reason", attempt.reason},
                                {"trace_id", trace_id_of(*entry)}});
  check_recorded(co_await journal_.record(std::move(outcome)));
  co_return again;
}

namespace {

void tell_dead_letter(const Options& options, const Route& route, const Outcome& outcome) {
  if (!options.record) return;
  Json trigger = resource::new_object(resource::kTriggers, {route.trigger.ns, route.trigger.name});
  trigger["metadata"]["uid"] = route.trigger.uid;
  options.record(trigger,
                 {resource::EventType::kWarning, "DeadLettered",
                  fmt::format("an event became a dead letter after {} attempt{}: {}",
                              outcome.attempts, outcome.attempts == 1 ? "" : "s", outcome.reason),
                  "broker"});
}

}  // namespace

// Stored first, then the sink is tried.
Task<Deliverer::Again> Deliverer::bury(RoutePtr route, journal::EntryPtr entry, Outcome outcome) {
  outcome.state = DeliveryState::kDeadLettered;
  outcome.has_sink = !route->dead_letter_sink.is_null();
  const Lane::Again again{outcome.attempts - 1, clock_.monotonic() + kStorageRetry};
  kLog.warn("dead_lettered", {{"trigger", route->trigger.ns + "/" + route->trigger.name},
                              {"sequence", outcome.sequence},
                              {"attempts", outcome.attempts},
                              {"reason", outcome.reason},
                              {"trace_id", trace_id_of(*entry)}});
  const bool has_sink = outcome.has_sink;
  tell_dead_letter(options_, *route, outcome);
  const auto id = co_await journal_.record(std::move(outcome));
  // Not stored: the delivery is not over.
  if (!id) co_return again;
  metrics_.of(*route).dead_lettered.add();
  const auto lanes = lanes_.find(route->id);
  if (*id != 0 && has_sink && lanes != lanes_.end()) lanes->second.sinks->push(*id);
  co_return std::nullopt;
}

Task<Deliverer::Again> Deliverer::forward(journal::TriggerId id, std::int64_t dead_letter,
                                          int attempts) {
  const RoutePtr route = catalog_.find(id);
  if (!route || route->dead_letter_sink.is_null()) co_return std::nullopt;
  auto letter = journal_.dead_letter(dead_letter);
  if (!letter) co_return std::nullopt;  // replayed or purged
  auto entry = journal_.read(letter->sequence);
  if (!entry || !*entry) co_return std::nullopt;
  const Attempt attempt = co_await send_dead_letter(route, std::move(*letter), *entry);
  if (stopping_ || !catalog_.find(id)) co_return std::nullopt;
  const int made = attempts + 1;
  if (!attempt.delivered && attempt.retryable && made <= route->policy.retry) {
    co_return Lane::Again{
        made, clock_.monotonic() + wait_before_retry(route->policy, made, options_.backoff_max,
                                                     attempt.retry_after)};
  }
  if (!attempt.delivered) {
    kLog.warn("dead_letter_sink_failed",
              {{"trigger", route->trigger.ns + "/" + route->trigger.name},
               {"reason", attempt.reason},
               {"trace_id", trace_id_of(**entry)}});
  }
  (void)co_await journal_.record_sink(dead_letter,
                                      attempt.delivered ? SinkState::kSent : SinkState::kFailed);
  co_return std::nullopt;
}

Task<Deliverer::Attempt> Deliverer::send_dead_letter(RoutePtr route, journal::DeadLetter letter,
                                                     journal::EntryPtr entry) {
  Attempt attempt;
  const auto sink = destinations_.resolve(route->dead_letter_sink, route->trigger.ns);
  auto url = sink ? http::parse_url(sink->url) : Result<http::Url>(fail(sink.error()));
  if (!url) {
    attempt.reason = "dead letter sink: " + url.error().message;
    co_return attempt;
  }
  event::CloudEvent event = entry->event;
  if (!letter.destination.empty()) event.set("knativeerrordest", letter.destination);
  // No answer came: 500, as the default broker says it.
  event.set("knativeerrorcode", std::to_string(letter.code == 0 ? 500 : letter.code));
  if (letter.code == 0) {
    event.set("knativeerrordata", printable("dispatch error: " + letter.reason));
  } else if (!letter.body_excerpt.empty()) {
    event.set("knativeerrordata", base::base64(letter.body_excerpt));
  }
  if (!sink->broker.name.empty()) co_return co_await hand_over(*sink, std::move(event));
  http::Headers headers = delivery_headers(*entry);
  headers.add("Kn-Namespace", route->trigger.ns);
  std::string body = encode(event, route->policy.format, headers);
  auto response =
      co_await dispatch_(std::move(*url), std::move(headers), std::move(body), timeout_of(*route));
  attempt.delivered = response && response->head.status / 100 == 2;
  attempt.retryable = !response || is_retryable(response->head.status);
  attempt.reason =
      response ? fmt::format("HTTP {}", response->head.status) : response.error().message;
  if (response) attempt.retry_after = retry_after_of(response->head, clock_.wall());
  co_return attempt;
}

}  // namespace hearth::eventing
