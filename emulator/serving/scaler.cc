#include "emulator/serving/scaler.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "emulator/serving/crash.h"
#include "emulator/serving/instance_env.h"
#include "emulator/serving/pod_mirror.h"
#include "platform/async/loop.h"
#include "platform/async/task_group.h"
#include "platform/async/timer.h"
#include "platform/base/random_id.h"
#include "platform/resource/well_known.h"
#include "platform/telemetry/log.h"

namespace hearth::serving {

using runtime::InstanceEvent;

namespace {

constexpr telemetry::Log kLog("scaler");
constexpr std::chrono::seconds kSampleInterval{1};  // Knative: 1 s buckets
constexpr int kTicksPerDecision = 2;                // Knative: a decision every 2 s
// Kubernetes: crash back-off 10 s doubling to 5 min.
constexpr std::chrono::seconds kCrashBackoffFirst{10};
constexpr std::chrono::seconds kCrashBackoffMax{300};
// The Pod of an instance that a request waits for is written when the answer has probably gone:
// sooner, the write would take time from it.
constexpr std::chrono::milliseconds kPodDelay{20};
// An instance that served this long has not failed at its start: counting begins anew.
constexpr std::chrono::seconds kStableAfter{60};
// Leaves room for what the recorder may put before it.
constexpr std::size_t kCrashMessageBytesMax = resource::kEventMessageBytesMax - 40;

struct RunningInstance {
  std::string id;
  std::string socket_path;
  std::string host;
  std::uint16_t port = 0;
  bool ready = false;
  bool published = false;
  bool stopping = false;
  bool has_pod = false;
  base::WallTime started{};  // as its Pod shows it
  base::MonotonicTime began_at{};
  std::shared_ptr<std::atomic<std::int64_t>> requests =
      std::make_shared<std::atomic<std::int64_t>>(0);
};

struct Entry {
  explicit Entry(const RevisionSpec& s)
      : spec(s),
        decider(s.scaling),
        shared(std::make_shared<gateway::Revision>(gateway::RevisionSettings{
            s.ns, s.name, s.service, s.configuration, s.concurrency, s.timeout})) {}

  RevisionSpec spec;
  Decider decider;
  gateway::RevisionPtr shared;
  std::map<std::string, RunningInstance> instances;
  RevisionHealth health;
  bool reachable = true;
  std::int64_t starting = 0;  // starts under way, not in `instances` yet
  std::uint64_t arrivals_seen = 0;
  std::chrono::seconds idle_since{-1};
  int crashes = 0;
  std::chrono::steady_clock::time_point not_before{};

  std::int64_t live() const {
    return starting +
           std::ranges::count_if(instances, [](const auto& item) { return !item.second.stopping; });
  }
  std::int64_t ready() const {
    return std::ranges::count_if(
        instances, [](const auto& item) { return item.second.ready && !item.second.stopping; });
  }
  // What a new revision starts with, and needs to be Ready.
  std::int64_t first_scale() const { return std::max(spec.initial_scale, spec.scaling.min_scale); }
};

std::string configuration_key(const RevisionSpec& spec) {
  return spec.ns + "/" + spec.configuration;
}

// A digest can only go missing by being deleted.
Error start_error(const RevisionSpec& spec, Error error) {
  const bool pinned = !spec.image_digest.empty() && spec.image_digest != spec.image;
  if (error.code != Code::kNotFound || !pinned) return error;
  error.message += fmt::format(
      "; it is what {} named when the revision was made, and a new revision takes what that names "
      "now",
      spec.image);
  return error;
}

}  // namespace

struct Scaler::State : std::enable_shared_from_this<Scaler::State> {
  State(async::Loop& l, runtime::Runtime& r, resource::Store& s, const base::Clock& c,
        ScalerOptions o)
      : loop(l), runtime(r), store(s), clock(c), options(std::move(o)), tasks(l) {}

  std::chrono::seconds now_seconds() const {
    return std::chrono::duration_cast<std::chrono::seconds>(clock.monotonic().time_since_epoch());
  }
  Entry* find(const std::string& key) {
    const auto it = entries.find(key);
    return it == entries.end() ? nullptr : it->second.get();
  }
  // Null when it is gone, also when another was made under its name since.
  Entry* entry_of(const gateway::Revision& revision) {
    Entry* entry = find(revision.key());
    return entry != nullptr && entry->shared.get() == &revision ? entry : nullptr;
  }
  Entry* owner_of(const std::string& instance) {
    const auto it = owners.find(instance);
    return it == owners.end() ? nullptr : entry_of(*it->second);
  }
  RunningInstance* find_instance(const std::string& id) {
    Entry* entry = owner_of(id);
    if (entry == nullptr) return nullptr;
    const auto it = entry->instances.find(id);
    return it == entry->instances.end() ? nullptr : &it->second;
  }

  void handle(const InstanceEvent& event);
  void handle_ready(Entry& entry, RunningInstance& instance);
  void handle_exit(Entry& entry, const InstanceEvent& event);
  void handle_crash(Entry& entry, Crash crash);
  void pin_image(Entry& entry);
  void keep_crash(Entry& entry, Crash crash);
  void hide_crash(const RevisionSpec& spec);
  const Crash* last_crash(const RevisionSpec& spec) const;
  void scale_to(Entry& entry, std::int64_t wanted);
  void start_one(Entry& entry);
  void stop_one(Entry& entry);
  void publish(Entry& entry);
  void sample(Entry& entry);
  void decide(Entry& entry);
  void note(const RevisionSpec& spec, resource::EventType type, std::string reason,
            std::string message) const;
  void set_health(Entry& entry, RevisionHealth::State health, std::string reason,
                  std::string message);
  static Task<void> launch(std::shared_ptr<State> state, gateway::RevisionPtr revision,
                           std::string id);
  // `known_good`: the revision was ready before.
  void add_instance(Entry& entry, std::string id, std::string socket_path, bool known_good);
  static Task<void> tick(std::shared_ptr<State> state);
  static Task<void> retry(std::shared_ptr<State> state, gateway::RevisionPtr revision,
                          std::chrono::steady_clock::duration delay);
  static Task<void> create_pod(std::shared_ptr<State> state, RevisionSpec spec, std::string id,
                               std::chrono::milliseconds delay);
  static Task<void> write_pod_status(std::shared_ptr<State> state, RevisionSpec spec,
                                     std::string id);
  static Task<void> show_crash(std::shared_ptr<State> state, RevisionSpec spec, std::string id,
                               std::int64_t restarts);
  static Task<void> remove_pod(std::shared_ptr<State> state, std::string ns, std::string id);
  static Task<void> remove_ended(std::shared_ptr<State> state, std::string ns, std::string id);

  async::Loop& loop;
  runtime::Runtime& runtime;
  resource::Store& store;
  const base::Clock& clock;
  ScalerOptions options;
  async::TaskGroup tasks;
  std::map<std::string, std::unique_ptr<Entry>> entries;
  std::map<std::string, gateway::RevisionPtr> owners;  // of instances
  std::map<std::string, Crash> crashes;                // the last of each configuration
  HealthHandler health_handler;
  std::function<void(const std::string&)> instances_handler;
  int ticks = 0;
};

Scaler::Scaler(async::Loop& loop, runtime::Runtime& runtime, resource::Store& store,
               const base::Clock& clock, ScalerOptions options)
    : state_(std::make_shared<State>(loop, runtime, store, clock, std::move(options))) {
  runtime.on_event([weak = std::weak_ptr(state_)](const InstanceEvent& event) {
    if (const auto state = weak.lock()) state->handle(event);
  });
}
Scaler::~Scaler() = default;

void Scaler::on_health_change(HealthHandler handler) {
  state_->health_handler = std::move(handler);
}
void Scaler::on_instances_change(std::function<void(const std::string&)> handler) {
  state_->instances_handler = std::move(handler);
}

void Scaler::start() { state_->tasks.spawn(State::tick(state_)); }

Task<void> Scaler::stop() {
  const auto state = state_;
  state->tasks.cancel();
  co_await state->tasks.drain();
}

gateway::RevisionPtr Scaler::put(const RevisionSpec& spec, bool known_good) {
  // Made again under its name, and nobody told that the one before went.
  const Entry* known = state_->find(spec.key());
  if (known != nullptr && known->spec.uid != spec.uid) remove(spec.key());
  auto& slot = state_->entries[spec.key()];
  if (slot) return slot->shared;  // a revision's spec never changes
  slot = std::make_unique<Entry>(spec);
  Entry& entry = *slot;
  state_->pin_image(entry);
  if (known_good) {
    entry.health.state = RevisionHealth::State::kReady;
    entry.health.was_ready = true;
    entry.idle_since = state_->now_seconds();
    state_->scale_to(entry, entry.spec.scaling.min_scale);
  } else if (entry.spec.initial_scale == 0 && entry.spec.scaling.min_scale == 0) {
    state_->set_health(entry, RevisionHealth::State::kReady, "", "");
  } else {
    entry.health.state = RevisionHealth::State::kStarting;
    state_->scale_to(entry, entry.first_scale());
  }
  return entry.shared;
}

void Scaler::remove(const std::string& key) {
  Entry* entry = state_->find(key);
  if (entry == nullptr) return;
  entry->shared->retire();
  if (state_->instances_handler) state_->instances_handler(entry->spec.key());
  for (auto& [id, instance] : entry->instances) {
    state_->owners.erase(id);
    state_->runtime.stop(id, state_->options.drain_grace);
    state_->tasks.spawn(State::remove_pod(state_, entry->spec.ns, id));
  }
  if (const Crash* crash = state_->last_crash(entry->spec)) {
    state_->hide_crash(entry->spec);
    state_->runtime.logs().remove(crash->instance);
    state_->crashes.erase(configuration_key(entry->spec));
  }
  state_->entries.erase(key);
}

void Scaler::set_reachable(const std::string& key, bool reachable) {
  if (Entry* entry = state_->find(key)) entry->reachable = reachable;
}

void Scaler::activate(const std::string& key) {
  Entry* entry = state_->find(key);
  if (entry == nullptr) return;
  entry->idle_since = std::chrono::seconds(-1);
  const std::int64_t in_flight = entry->shared->in_flight.load();
  const std::int64_t wanted =
      std::max<std::int64_t>(1, static_cast<std::int64_t>((static_cast<double>(in_flight) +
                                                           entry->decider.settings().target - 1) /
                                                          entry->decider.settings().target));
  const std::int64_t most = entry->spec.scaling.max_scale;
  const std::int64_t bounded = most > 0 ? std::min(wanted, most) : wanted;
  if (entry->live() < bounded) state_->scale_to(*entry, bounded);
}

std::size_t Scaler::scale_to_zero(const std::string& ns, const std::string& service) {
  std::int64_t ended = 0;
  for (auto& [key, entry] : state_->entries) {
    if (entry->spec.ns != ns || entry->spec.service != service) continue;
    if (entry->shared->in_flight.load() > 0 || entry->starting > 0) continue;
    ended += entry->live();
    state_->scale_to(*entry, 0);
  }
  return static_cast<std::size_t>(ended);
}

void Scaler::replace(const std::string& instance_id, const std::string& reason,
                     std::string_view trace_id) {
  Entry* entry = state_->owner_of(instance_id);
  if (entry == nullptr) return;
  const auto it = entry->instances.find(instance_id);
  if (it == entry->instances.end() || it->second.stopping) return;
  kLog.warn("instance_replaced",
            {{"instance", instance_id}, {"reason", reason}, {"trace_id", trace_id}});
  it->second.stopping = true;
  state_->publish(*entry);
  // It hangs: SIGTERM would wait for the very request that does not end.
  state_->runtime.stop(instance_id, std::chrono::milliseconds(0));
}

RevisionHealth Scaler::health(const std::string& key) const {
  const auto it = state_->entries.find(key);
  if (it == state_->entries.end()) return {};
  RevisionHealth out = it->second->health;
  out.desired = it->second->live();
  out.ready = it->second->ready();
  out.image_digest = it->second->spec.image_digest;
  return out;
}

gateway::RevisionPtr Scaler::revision(const std::string& key) const {
  const auto it = state_->entries.find(key);
  return it == state_->entries.end() ? nullptr : it->second->shared;
}

void Scaler::State::set_health(Entry& entry, RevisionHealth::State health, std::string reason,
                               std::string message) {
  entry.health.state = health;
  entry.health.reason = std::move(reason);
  entry.health.message = std::move(message);
  if (health == RevisionHealth::State::kReady) entry.health.was_ready = true;
  if (health_handler) health_handler(entry.spec.ns, entry.spec.name);
}

// An Event of the revision.
void Scaler::State::note(const RevisionSpec& spec, resource::EventType type, std::string reason,
                         std::string message) const {
  if (!options.record) return;
  Json revision = resource::new_object(resource::kRevisions, {spec.ns, spec.name});
  revision["metadata"]["uid"] = spec.uid;
  options.record(revision, {type, std::move(reason), std::move(message), "autoscaler"});
}

void Scaler::State::publish(Entry& entry) {
  gateway::Instances out;
  for (auto& [id, instance] : entry.instances) {
    if (instance.published && !instance.stopping) {
      out.push_back({id, instance.socket_path, instance.host, instance.port, instance.requests});
    }
  }
  entry.shared->set_instances(std::move(out));
  if (instances_handler) instances_handler(entry.spec.key());
}

void Scaler::State::scale_to(Entry& entry, std::int64_t wanted) {
  if (clock.monotonic() < entry.not_before && wanted > 0) return;  // crash back-off
  // A start that fails at once has ended when start_one() returns, and begins the back-off.
  for (std::int64_t missing = wanted - entry.live(); missing > 0; --missing) {
    if (clock.monotonic() < entry.not_before) return;
    start_one(entry);
  }
  while (entry.live() > wanted && !entry.instances.empty()) {
    const std::int64_t before = entry.live();
    stop_one(entry);
    if (entry.live() == before) break;
  }
}

void Scaler::State::start_one(Entry& entry) {
  ++entry.starting;
  std::string id = entry.spec.name.substr(0, 40) + "-deployment-" + base::random_suffix(10);
  owners[id] = entry.shared;
  tasks.spawn(launch(shared_from_this(), entry.shared, std::move(id)));
}

void Scaler::State::stop_one(Entry& entry) {
  // The youngest first: older ones are warm. One that has a request is left to finish it: while it
  // boots, the end of its process would reset the connection. The next tick looks again.
  RunningInstance* youngest = nullptr;
  for (auto& [id, instance] : entry.instances) {
    if (instance.stopping || instance.requests->load() > 0) continue;
    if (youngest == nullptr || instance.began_at > youngest->began_at) youngest = &instance;
  }
  if (youngest == nullptr) return;
  youngest->stopping = true;
  publish(entry);
  runtime.stop(youngest->id, options.drain_grace);
}

// A tag may move; a revision stays what it was made of.
void Scaler::State::pin_image(Entry& entry) {
  if (!entry.spec.image_digest.empty()) return;
  // An image that isn't there yet: the start says so, and the next one looks again.
  if (auto digest = runtime.resolve_image(entry.spec.image)) {
    entry.spec.image_digest = std::move(*digest);
  }
}

namespace {

runtime::InstanceSpec instance_of(const RevisionSpec& spec, std::string id, Environment env) {
  return {.id = std::move(id),
          .image = spec.image_digest.empty() ? spec.image : spec.image_digest,
          .env = std::move(env),
          .command = spec.command,
          .args = spec.args,
          .memory_bytes = spec.memory_bytes,
          .cpu_milli = spec.cpu_milli,
          .working_dir = spec.working_dir,
          .port = spec.port,
          .probe = {.path = spec.probe_path}};
}

}  // namespace

Task<void> Scaler::State::launch(std::shared_ptr<State> state, gateway::RevisionPtr revision,
                                 std::string id) {
  Entry* entry = state->entry_of(*revision);
  if (entry == nullptr) {
    state->owners.erase(id);
    co_return;
  }
  state->pin_image(*entry);
  const RevisionSpec spec = entry->spec;
  const bool known_good = entry->health.was_ready;
  auto env = co_await instance_env(
      state->store, spec,
      state->options.platform_env ? state->options.platform_env(spec) : Environment());
  auto started = env ? co_await state->runtime.start(instance_of(spec, id, std::move(*env)))
                     : Result<runtime::Instance>(fail(env.error()));
  entry = state->entry_of(*revision);
  if (entry == nullptr) {
    state->owners.erase(id);
    if (started) state->runtime.stop(id, std::chrono::milliseconds(0));
    co_return;
  }
  --entry->starting;
  if (!started) {
    state->owners.erase(id);
    const Error why = env ? start_error(spec, started.error()) : started.error();
    state->publish(*entry);
    state->handle_crash(*entry,
                        {.revision = spec.key(), .reason = "StartFailed", .message = why.message});
    co_return;
  }
  if (!started->warning.empty()) {
    state->note(spec, resource::EventType::kWarning, "MemoryLimitRaised", started->warning);
  }
  state->add_instance(*entry, std::move(id), std::move(started->socket_path), known_good);
}

void Scaler::State::add_instance(Entry& entry, std::string id, std::string socket_path,
                                 bool known_good) {
  RunningInstance& instance = entry.instances[id];
  instance = {.id = id,
              .socket_path = std::move(socket_path),
              .started = clock.wall(),
              .began_at = clock.monotonic()};
  // A revision that was ready before is trusted: requests may go to the socket at once and wait
  // there, which saves the round trip of a readiness report on every cold start. One that speaks
  // HTTP has no address before it listens.
  const bool trusted = known_good && !instance.socket_path.empty();
  if (trusted) {
    instance.published = true;
    publish(entry);
  }
  tasks.spawn(create_pod(shared_from_this(), entry.spec, std::move(id),
                         trusted ? kPodDelay : std::chrono::milliseconds(0)));
}

void Scaler::State::handle(const InstanceEvent& event) {
  Entry* entry = owner_of(event.id);
  if (entry == nullptr) {
    // Its revision has gone, and with it the Pod by which the log is asked for.
    if (event.kind == InstanceEvent::Kind::kExited) runtime.logs().remove(event.id);
    return;
  }
  const auto it = entry->instances.find(event.id);
  switch (event.kind) {
    case InstanceEvent::Kind::kReady:
      if (it == entry->instances.end()) return;
      it->second.host = event.host;
      it->second.port = event.port;
      handle_ready(*entry, it->second);
      return;
    case InstanceEvent::Kind::kFailed:
      set_health(*entry, RevisionHealth::State::kFailed, event.reason, event.message);
      return;
    case InstanceEvent::Kind::kTimedOut:
      if (it != entry->instances.end() && !it->second.stopping) {
        it->second.stopping = true;
        publish(*entry);
        // The wrapper has answered 504 itself; what hangs in it can only be killed.
        runtime.stop(event.id, std::chrono::milliseconds(1000));
      }
      return;
    case InstanceEvent::Kind::kExited:
      handle_exit(*entry, event);
      return;
  }
}

void Scaler::State::handle_ready(Entry& entry, RunningInstance& instance) {
  instance.ready = true;
  instance.published = true;
  publish(entry);
  // Knative: a new revision is Ready once max(min-scale, initial-scale) instances are.
  if (entry.health.was_ready || entry.ready() >= entry.first_scale()) {
    set_health(entry, RevisionHealth::State::kReady, "", "");
  }
  if (instance.has_pod) tasks.spawn(write_pod_status(shared_from_this(), entry.spec, instance.id));
}

void Scaler::State::handle_exit(Entry& entry, const InstanceEvent& event) {
  Crash crash{.revision = entry.spec.key(),
              .instance = event.id,
              .reason = event.reason,
              .message = event.message,
              .last_lines = event.last_lines,
              .exit_code = event.exit_code,
              .finished = clock.wall()};
  const bool failed = entry.health.state == RevisionHealth::State::kFailed;
  if (event.said_why && event.message.empty() && failed) {
    crash.reason = entry.health.reason;
    crash.last_lines = entry.health.message;
  }
  bool expected = false;
  if (const auto it = entry.instances.find(event.id); it != entry.instances.end()) {
    expected = it->second.stopping;
    crash.started = it->second.started;
    if (clock.monotonic() - it->second.began_at >= kStableAfter) entry.crashes = 0;
    entry.instances.erase(it);
  }
  owners.erase(event.id);
  publish(entry);
  if (!expected) {
    handle_crash(entry, std::move(crash));
    return;
  }
  tasks.spawn(remove_ended(shared_from_this(), entry.spec.ns, event.id));
  if (entry.shared->in_flight.load() > 0 && entry.live() == 0) scale_to(entry, 1);
  if (health_handler) health_handler(entry.spec.ns, entry.spec.name);
}

void Scaler::State::handle_crash(Entry& entry, Crash crash) {
  // As the kubelet: the first restart at once, then ever later.
  const auto delay =
      entry.crashes == 0
          ? std::chrono::seconds(0)
          : std::min<std::chrono::seconds>(
                kCrashBackoffMax, kCrashBackoffFirst * (1L << std::min(entry.crashes - 1, 6)));
  ++entry.crashes;
  entry.not_before = clock.monotonic() + delay;
  kLog.warn("instance_ended", {{"revision", crash.revision},
                               {"instance", crash.instance},
                               {"code", crash.exit_code},
                               {"reason", crash.reason},
                               {"retry_seconds", delay.count()}});
  const bool both = !crash.message.empty() && !crash.last_lines.empty();
  std::string text = crash.message + (both ? "\n" : "") + crash.last_lines;
  if (entry.health.state != RevisionHealth::State::kFailed || !text.empty()) {
    set_health(entry, RevisionHealth::State::kFailed, crash.reason, std::move(text));
  }
  const bool ran = !crash.instance.empty();
  note(entry.spec, resource::EventType::kWarning, ran ? "BackOff" : "FailedToStart",
       crash_message(crash, delay, kCrashMessageBytesMax));
  if (crash.reason == "OOMKilled") {
    note(entry.spec, resource::EventType::kWarning, crash.reason, crash.message);
  }
  if (ran) keep_crash(entry, std::move(crash));
  tasks.spawn(retry(shared_from_this(), entry.shared, delay));
}

const Crash* Scaler::State::last_crash(const RevisionSpec& spec) const {
  const auto it = crashes.find(configuration_key(spec));
  return it != crashes.end() && it->second.revision == spec.key() ? &it->second : nullptr;
}

// The Pod of the instance that crashed last stays, so that its log can be read, until the
// configuration has an instance again; the log stays until the next crash (logs --previous).
void Scaler::State::keep_crash(Entry& entry, Crash crash) {
  hide_crash(entry.spec);
  const auto before = crashes.find(configuration_key(entry.spec));
  if (before != crashes.end()) runtime.logs().remove(before->second.instance);
  crash.has_pod = true;
  tasks.spawn(show_crash(shared_from_this(), entry.spec, crash.instance, entry.crashes));
  crashes[configuration_key(entry.spec)] = std::move(crash);
}

void Scaler::State::hide_crash(const RevisionSpec& spec) {
  const auto it = crashes.find(configuration_key(spec));
  if (it == crashes.end() || !std::exchange(it->second.has_pod, false)) return;
  tasks.spawn(remove_pod(shared_from_this(), spec.ns, it->second.instance));
}

// After a crash's back-off: again when someone waits, or when it must run anyway.
Task<void> Scaler::State::retry(std::shared_ptr<State> state, gateway::RevisionPtr revision,
                                std::chrono::steady_clock::duration delay) {
  if (!co_await async::sleep_for(delay)) co_return;
  Entry* entry = state->entry_of(*revision);
  if (entry == nullptr || !entry->reachable) co_return;
  const bool wanted = entry->shared->in_flight.load() > 0 || entry->spec.scaling.min_scale > 0 ||
                      !entry->health.was_ready;
  const std::int64_t least =
      entry->health.was_ready ? entry->spec.scaling.min_scale : entry->first_scale();
  if (wanted) state->scale_to(*entry, std::max<std::int64_t>(1, least));
}

Task<void> Scaler::State::tick(std::shared_ptr<State> state) {
  while (co_await async::sleep_for(kSampleInterval)) {
    const bool decision = ++state->ticks % kTicksPerDecision == 0;
    for (auto& [key, entry] : state->entries) {
      state->sample(*entry);
      if (decision) state->decide(*entry);
    }
  }
}

void Scaler::State::sample(Entry& entry) {
  const std::int64_t in_flight = entry.shared->in_flight.load(std::memory_order_relaxed);
  const std::uint64_t arrivals = entry.shared->arrivals.load(std::memory_order_relaxed);
  const bool busy = in_flight > 0 || arrivals != entry.arrivals_seen;
  entry.arrivals_seen = arrivals;
  // Nothing runs and nothing came: an idle revision at zero costs nothing.
  if (!busy && entry.live() == 0) return;
  entry.decider.record(now_seconds(), static_cast<double>(in_flight));
  if (busy)
    entry.idle_since = std::chrono::seconds(-1);
  else if (entry.idle_since.count() < 0)
    entry.idle_since = now_seconds();
}

void Scaler::State::decide(Entry& entry) {
  if (entry.live() == 0 && entry.shared->in_flight.load() == 0) {
    if (entry.reachable && entry.spec.scaling.min_scale > 0) {
      scale_to(entry, entry.spec.scaling.min_scale);
    }
    return;
  }
  const auto now = now_seconds();
  std::int64_t wanted = entry.decider.decide(now, entry.ready());
  if (wanted < 0) return;
  if (!entry.reachable && entry.shared->in_flight.load() == 0) wanted = 0;
  if (wanted == 0) {
    // The last instance stays for the stable window of silence, then for the grace or the
    // function's own retention period, whichever is longer (the local activator is always in the
    // path, so the grace runs while the window does).
    const auto silent =
        entry.idle_since.count() < 0 ? std::chrono::seconds(0) : now - entry.idle_since;
    const auto needed = entry.reachable ? entry.spec.scaling.stable_window + entry.spec.retention
                                        : std::chrono::seconds(0);
    if (!entry.health.was_ready || silent < std::max(needed, options.scale_to_zero_grace))
      wanted = 1;
  }
  if (entry.reachable && !entry.health.was_ready) wanted = std::max(wanted, entry.first_scale());
  if (wanted == entry.live()) return;
  if (wanted == 0) {
    note(entry.spec, resource::EventType::kNormal, "ScaledToZero",
         fmt::format("no requests for {} s", entry.spec.scaling.stable_window.count()));
  }
  scale_to(entry, wanted);
}

Task<void> Scaler::State::create_pod(std::shared_ptr<State> state, RevisionSpec spec,
                                     std::string id, std::chrono::milliseconds delay) {
  if (delay.count() > 0 && !co_await async::sleep_for(delay)) co_return;
  RunningInstance* instance = state->find_instance(id);
  if (instance == nullptr) co_return;  // it has ended already
  instance->has_pod = true;
  state->hide_crash(spec);
  const auto pod = co_await state->store.create(resource::kPods, pod_object(spec, id), {});
  if (pod && state->options.record) {
    state->options.record(**pod, {resource::EventType::kNormal, "Started",
                                  "Started an instance of " + spec.image, "runtime"});
  }
  co_await write_pod_status(state, spec, id);
}

Task<void> Scaler::State::write_pod_status(std::shared_ptr<State> state, RevisionSpec spec,
                                           std::string id) {
  const RunningInstance* instance = state->find_instance(id);
  const Crash* crash = state->last_crash(spec);
  if (instance == nullptr) {  // gone while the object was on its way
    const bool stays = crash != nullptr && crash->instance == id && crash->has_pod;
    if (!stays) co_await remove_pod(state, spec.ns, id);
    co_return;
  }
  (void)co_await resource::update_status(state->store, resource::kPods, {spec.ns, id},
                                         pod_status(spec, {.ready = instance->ready,
                                                           .started = instance->started,
                                                           .now = state->clock.wall(),
                                                           .restarts = state->owner_of(id)->crashes,
                                                           .last_crash = crash}));
}

Task<void> Scaler::State::show_crash(std::shared_ptr<State> state, RevisionSpec spec,
                                     std::string id, std::int64_t restarts) {
  // It may have ended before it had one.
  (void)co_await state->store.create(resource::kPods, pod_object(spec, id), {});
  const Crash* crash = state->last_crash(spec);
  if (crash == nullptr || crash->instance != id || !crash->has_pod) {
    co_await remove_pod(state, spec.ns, id);
    co_return;
  }
  (void)co_await resource::update_status(state->store, resource::kPods, {spec.ns, id},
                                         ended_pod_status(spec, *crash, restarts));
}

Task<void> Scaler::State::remove_pod(std::shared_ptr<State> state, std::string ns, std::string id) {
  (void)co_await state->store.remove(resource::kPods, {ns, id}, {});
}

// With its log, after who follows it has seen the end.
Task<void> Scaler::State::remove_ended(std::shared_ptr<State> state, std::string ns,
                                       std::string id) {
  co_await remove_pod(state, std::move(ns), id);
  state->runtime.logs().remove(id);
}

}  // namespace hearth::serving
