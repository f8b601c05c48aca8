#include "platform/resource/event_recorder.h"

#include <deque>
#include <map>
#include <set>

#include <fmt/format.h>

#include "platform/async/loop.h"
#include "platform/async/signal.h"
#include "platform/async/task_group.h"
#include "platform/async/timer.h"
#include "platform/base/beginning.h"
#include "platform/base/text.h"
#include "platform/resource/well_known.h"

namespace hearth::resource {

using base::string_at;

namespace {

constexpr std::size_t kNameBytesMax = 230;  // leaves room for the moment's digits
constexpr std::size_t kSeriesMax = 4096;
constexpr std::size_t kPendingMax = 1000;
// client-go's correlator: similar messages within ten minutes, then combined.
constexpr std::size_t kSimilarMax = 10;
constexpr std::chrono::minutes kSimilarWindow{10};
// client-go's spam filter: 25 at once for an object and source, then one in five minutes.
constexpr double kBurst = 25;
constexpr double kRefillSeconds = 300;

std::string text_of(EventType type) { return type == EventType::kNormal ? "Normal" : "Warning"; }

std::string bounded_message(std::string text) {
  if (text.size() <= kEventMessageBytesMax) return text;
  return base::beginning_of(text, kEventMessageBytesMax - 3, "...");
}

// One Event object and the notes it stands for.
struct Series {
  Json reference;
  EventNote note;
  ObjectKey key;
  std::int64_t count = 0;
  base::WallTime first;
  base::WallTime last;
  bool stored = false;
  bool pending = false;
};

struct Similar {
  std::set<std::string> messages;
  base::MonotonicTime since;
};

struct Allowance {
  double left = kBurst;
  base::MonotonicTime at;
};

Json event_object(const Series& series) {
  Json event = new_object(kEvents, series.key);
  event["involvedObject"] = series.reference;
  event["type"] = text_of(series.note.type);
  event["reason"] = series.note.reason;
  event["message"] = series.note.message;
  event["source"] = {{"component", series.note.component}};
  event["reportingComponent"] = series.note.component;
  event["reportingInstance"] = "";
  event["firstTimestamp"] = base::format_rfc3339(series.first);
  event["lastTimestamp"] = base::format_rfc3339(series.last);
  event["count"] = series.count;
  return event;
}

Json reference_to(const Json& object) {
  Json reference{{"kind", string_at(object, {"kind"})},
                 {"apiVersion", string_at(object, {"apiVersion"})},
                 {"name", name_of(object)},
                 {"uid", uid_of(object)}};
  if (const std::string ns = namespace_of(object); !ns.empty()) reference["namespace"] = ns;
  const std::string version = string_at(object, {"metadata", "resourceVersion"});
  if (!version.empty()) reference["resourceVersion"] = version;
  return reference;
}

// The last moment that an Event speaks of.
std::optional<base::WallTime> moment_of(const Json& event) {
  for (const auto path : {"lastTimestamp", "eventTime"}) {
    if (auto time = base::parse_rfc3339(string_at(event, {path}))) return time;
  }
  return base::parse_rfc3339(string_at(event, {"metadata", "creationTimestamp"}));
}

}  // namespace

struct EventRecorder::State {
  State(async::Loop& loop, Store& s, const base::Clock& c, EventRecorderOptions o)
      : store(s), clock(c), options(o), wake(loop), done(loop), tasks(loop) {}

  bool allowed(const std::string& source);
  std::string combine(const std::string& alike, EventNote& note);
  void forget_oldest();
  std::uint64_t unique_moment(base::WallTime now);
  Task<void> write_all();
  Task<void> write(std::string key);
  Task<void> expire_for_ever();
  Task<void> expire();

  Store& store;
  const base::Clock& clock;
  EventRecorderOptions options;
  std::map<std::string, Series> series;
  std::deque<std::string> by_age;  // keys of `series`, oldest first
  std::map<std::string, Similar> similar;
  std::map<std::string, Allowance> allowances;
  std::deque<std::string> pending;
  bool writing = false;
  std::uint64_t last_moment = 0;
  async::Signal wake;
  async::Signal done;
  async::TaskGroup tasks;
};

EventRecorder::EventRecorder(async::Loop& loop, Store& store, const base::Clock& clock,
                             EventRecorderOptions options)
    : state_(std::make_unique<State>(loop, store, clock, options)) {}

EventRecorder::~EventRecorder() = default;

void EventRecorder::start() {
  state_->tasks.spawn(state_->write_all());
  state_->tasks.spawn(state_->expire_for_ever());
}

Task<void> EventRecorder::stop() {
  state_->tasks.cancel();
  co_await state_->tasks.drain();
}

bool EventRecorder::State::allowed(const std::string& source) {
  const auto now = clock.monotonic();
  if (allowances.size() >= kSeriesMax && !allowances.contains(source)) allowances.clear();
  const auto [it, fresh] = allowances.try_emplace(source, Allowance{kBurst, now});
  Allowance& allowance = it->second;
  const std::chrono::duration<double> passed = now - allowance.at;
  allowance.left = std::min(kBurst, allowance.left + passed.count() / kRefillSeconds);
  allowance.at = now;
  if (allowance.left < 1) return false;
  allowance.left -= 1;
  return true;
}

// The key of the series that the note belongs to. Beyond ten messages alike it is one for all.
std::string EventRecorder::State::combine(const std::string& alike, EventNote& note) {
  const auto now = clock.monotonic();
  if (similar.size() >= kSeriesMax && !similar.contains(alike)) similar.clear();
  Similar& group = similar.try_emplace(alike, Similar{{}, now}).first->second;
  if (now - group.since > kSimilarWindow) group = {{}, now};
  if (group.messages.size() <= kSimilarMax) group.messages.insert(note.message);
  if (group.messages.size() <= kSimilarMax) return alike + "\n" + note.message;
  note.message = bounded_message("(combined from similar events): " + note.message);
  return alike;
}

void EventRecorder::State::forget_oldest() {
  while (series.size() > kSeriesMax && !by_age.empty()) {
    const auto it = series.find(by_age.front());
    by_age.pop_front();
    if (it != series.end() && !it->second.pending) series.erase(it);
  }
}

// Names of Events end in their first moment; two must not share it.
std::uint64_t EventRecorder::State::unique_moment(base::WallTime now) {
  const auto moment = static_cast<std::uint64_t>(now.time_since_epoch().count());
  last_moment = std::max(moment, last_moment + 1);
  return last_moment;
}

void EventRecorder::record(const Json& object, EventNote note) {
  State& state = *state_;
  note.message = bounded_message(std::move(note.message));
  const std::string source = uid_of(object) + "\n" + note.component;
  if (!state.allowed(source)) return;
  const std::string alike = fmt::format("{}\n{}\n{}", source, text_of(note.type), note.reason);
  const std::string key = state.combine(alike, note);
  const base::WallTime now = state.clock.wall();
  auto it = state.series.find(key);
  const bool over = it != state.series.end() && now - it->second.last > state.options.lifetime;
  if (over && !it->second.pending) {
    state.series.erase(it);
    it = state.series.end();
  }
  if (it == state.series.end()) {
    if (state.pending.size() >= kPendingMax) return;
    Series fresh{.reference = reference_to(object), .note = note, .first = now, .last = now};
    const std::string ns = namespace_of(object);
    fresh.key = {
        ns.empty() ? "default" : ns,
        fmt::format("{}.{:x}", name_of(object).substr(0, kNameBytesMax), state.unique_moment(now))};
    it = state.series.emplace(key, std::move(fresh)).first;
    state.by_age.push_back(key);
    state.forget_oldest();
  }
  Series& series = it->second;
  ++series.count;
  series.last = now;
  series.note.message = std::move(note.message);
  if (std::exchange(series.pending, true)) return;
  state.pending.push_back(key);
  state.wake.notify();
}

Task<void> EventRecorder::State::write_all() {
  while (true) {
    while (!pending.empty()) {
      std::string key = std::move(pending.front());
      pending.pop_front();
      writing = true;
      co_await write(std::move(key));
      writing = false;
    }
    done.notify();
    if (!co_await wake.wait()) co_return;
  }
}

// The newest state of the series; notes that come meanwhile make it pending again.
Task<void> EventRecorder::State::write(std::string key) {
  const auto it = series.find(key);
  if (it == series.end()) co_return;
  it->second.pending = false;
  const Series snapshot = it->second;
  Status written;
  if (snapshot.stored) {
    const auto patched =
        co_await store.patch(kEvents, snapshot.key, PatchType::kMerge,
                             {{"count", snapshot.count},
                              {"message", snapshot.note.message},
                              {"lastTimestamp", base::format_rfc3339(snapshot.last)}},
                             {});
    if (!patched) written = fail(patched.error());
  }
  // Not there yet, or someone removed it.
  if (!snapshot.stored || (!written && written.error().code == Code::kNotFound)) {
    const auto created = co_await store.create(kEvents, event_object(snapshot), {});
    written = created ? Status() : Status(fail(created.error()));
  }
  const auto known = series.find(key);
  if (known != series.end()) known->second.stored = written.has_value();
}

Task<void> EventRecorder::flushed() {
  State& state = *state_;
  while (!state.pending.empty() || state.writing) {
    if (!co_await state.done.wait()) co_return;
  }
}

Task<void> EventRecorder::State::expire_for_ever() {
  do {
    co_await expire();
  } while (co_await async::sleep_for(options.expiry_interval));
}

Task<void> EventRecorder::expire() { co_await state_->expire(); }

Task<void> EventRecorder::State::expire() {
  auto events = co_await store.list(kEvents, {});
  if (!events) co_return;
  const base::WallTime now = clock.wall();
  for (const ObjectPtr& event : events->items) {
    const auto moment = moment_of(*event);
    if (moment && now - *moment <= options.lifetime) continue;
    (void)co_await store.remove(kEvents, key_of(*event), {});
  }
}

}  // namespace hearth::resource
