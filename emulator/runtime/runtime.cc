#include "emulator/runtime/runtime.h"

#include <algorithm>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>

#include "emulator/runtime/confinement.h"
#include "emulator/runtime/fork_order.h"
#include "emulator/runtime/image_process.h"
#include "emulator/runtime/instance_channels.h"
#include "emulator/runtime/instance_command.h"
#include "emulator/runtime/prepared_process.h"
#include "emulator/runtime/zygote.h"
#include "platform/async/loop.h"
#include "platform/async/signal.h"
#include "platform/async/task_group.h"
#include "platform/async/timer.h"
#include "platform/base/file.h"
#include "platform/base/json.h"
#include "platform/base/remove_tree.h"
#include "platform/base/text.h"
#include "platform/http/stream.h"
#include "platform/process/bind_watch.h"
#include "platform/process/pipe_reader.h"
#include "platform/process/spawn.h"
#include "platform/telemetry/log.h"

namespace hearth::runtime {
namespace {

constexpr telemetry::Log kLog("runtime");
constexpr std::size_t kTailLines = 20;
constexpr std::chrono::milliseconds kLastWordsMax{500};
// What a runtime needs before it has done anything: a lower limit would only ever end it.
constexpr std::uint64_t kForkedMemoryMin = 32ULL << 20;
constexpr std::uint64_t kSpawnedMemoryMin = 96ULL << 20;
// A foreign image's own footprint is not known: only what no program runs in is refused.
constexpr std::uint64_t kImageMemoryMin = 16ULL << 20;
// Between attempts of a readiness probe: from half a millisecond, growing to this.
constexpr std::chrono::milliseconds kProbePauseMax{250};
// After this an instance that isn't ready yet says why in its revision's condition.
constexpr std::chrono::seconds kReadyPatience{10};
// Likewise of a wrapper, which says itself when loading fails; large libraries take their time.
constexpr std::chrono::seconds kLoadPatience{60};
// So long after a start the next process is prepared: sooner, it would take time from the one that
// a request waits for.
constexpr std::chrono::milliseconds kPrepareDelay{30};
// The exit code of a process that could not be started (zygote.h).
constexpr int kNotStarted = 127;

}  // namespace

struct Runtime::State : std::enable_shared_from_this<Runtime::State> {
  struct Entry {
    Instance instance;
    std::unique_ptr<http::Stream> control;
    std::unique_ptr<process::Child> child;   // null: a child of the fork server
    std::unique_ptr<process::Cgroup> group;  // null: the fork server's, or there are none
    std::uint64_t memory_bytes = 0;          // its limit
    // Of instances that run from their image's own files:
    std::filesystem::path scratch;
    ReadinessProbe probe;
    std::uint16_t wanted_port = 0;
    std::uint64_t bound = 0;    // how often the wanted port was taken: the newest counts
    std::string probe_message;  // why it isn't ready yet
    bool ready = false;
    bool failed = false;
    bool stopping = false;
    int streams = 0;  // that are still read: control, output
    std::unique_ptr<async::Signal> streams_ended;
  };

  State(async::Loop& l, LogStore& g, ImageStore& i, RuntimeOptions o)
      : loop(l),
        logs(g),
        images(i),
        options(std::move(o)),
        confinement({.sandbox = options.sandbox, .scratch = options.run_dir / "tmp"}),
        tasks(l),
        emptied(l) {}

  Status fork_instance(Entry& entry, const InstanceSpec& spec, const ImageRootfs& image,
                       const ImageProcessFds& fds);
  Status spawn_instance(Entry& entry, const InstanceSpec& spec, const ImageRootfs& image,
                        const ImageProcessFds& fds);
  Result<process::SpawnRequest> wrapper_request(const InstanceSpec& spec,
                                                const ImageRootfs& image) const;
  Status leave_jail(process::SpawnRequest& request, const std::filesystem::path& app);
  Status ensure_zygote();
  Status start_wrapper(Entry& entry, const InstanceSpec& spec, const ImageRootfs& image,
                       const ImageProcessFds& fds);
  Status start_image(Entry& entry, const InstanceSpec& spec, const ImageRootfs& image,
                     const ImageProcessFds& fds);
  void listens_at(const std::string& id, std::string host, std::uint16_t port);
  std::optional<PreparedProcess> take_prepared(const InstanceSpec& spec, const ImageRootfs& image);
  Result<Instance> hand_over(PreparedProcess process, const InstanceSpec& spec,
                             const ImageRootfs& image);
  void warm_up(bool for_node);
  void prepare_next();
  static Task<void> prepare_later(std::shared_ptr<State> state);
  static Task<void> start_zygote_later(std::shared_ptr<State> state);
  void follow(const std::string& id, Entry& entry, base::UniqueFd control, base::UniqueFd output);
  static Task<void> watch_binds(std::shared_ptr<State> state, std::string id,
                                process::BindWatch watch);
  static Task<void> probe_until_ready(std::shared_ptr<State> state, std::string id,
                                      std::uint64_t bound);
  static Task<void> lose_patience(std::shared_ptr<State> state, std::string id);
  void emit(InstanceEvent event) {
    if (handler) handler(event);
  }
  static process::CgroupLimits limits_of(Entry& entry, const InstanceSpec& spec,
                                         std::uint64_t memory_min);
  void ended(const std::string& id, int code, bool out_of_memory);
  static Task<void> end(std::shared_ptr<State> state, std::string id, int code, bool out_of_memory);
  void report_end(const std::string& id, int code, bool out_of_memory);
  void stream_ended(const std::string& id);
  void handle_control(const std::string& id, std::string_view line);
  static Task<void> read_control(std::shared_ptr<State> state, std::string id,
                                 http::Stream& control);
  static Task<void> read_output(std::shared_ptr<State> state, std::string id, base::UniqueFd fd);
  static Task<void> watch_exit(std::shared_ptr<State> state, std::string id);
  static Task<void> kill_later(std::shared_ptr<State> state, std::string id,
                               std::chrono::milliseconds grace);
  void signal(Entry& entry, int number);

  async::Loop& loop;
  LogStore& logs;
  ImageStore& images;
  RuntimeOptions options;
  EventHandler handler;
  Confinement confinement;
  std::map<std::string, Entry> entries;
  std::unique_ptr<Zygote> zygote;
  std::optional<PreparedProcess> prepared;
  std::uint64_t prepared_made = 0;
  bool preparing = false;
  bool cannot_prepare = false;  // this machine withholds what it takes
  bool namespaces_withheld = false;
  bool stopping = false;
  async::TaskGroup tasks;
  async::Signal emptied;
};

Runtime::Runtime(async::Loop& loop, ImageStore& images, const base::Clock& clock,
                 RuntimeOptions options)
    : logs_(loop, options.log_dir, clock),
      state_(std::make_shared<State>(loop, logs_, images, std::move(options))) {
  const Status emptied = base::remove_tree(state_->options.scratch);
  if (!emptied) kLog.warn("scratch_stays", {{"error", emptied.error().message}});
}
Runtime::~Runtime() = default;

void Runtime::on_event(EventHandler handler) { state_->handler = std::move(handler); }
Result<std::string> Runtime::resolve_image(std::string_view image) const {
  return state_->images.resolve(image);
}
std::size_t Runtime::running() const { return state_->entries.size(); }

std::vector<std::string> Runtime::degraded() const {
  std::vector<std::string> out = state_->confinement.missing();
  if (state_->zygote) {
    const auto& found = state_->zygote->degraded();
    out.insert(out.end(), found.begin(), found.end());
  }
  if (state_->namespaces_withheld) out.emplace_back("namespaces");
  std::ranges::sort(out);
  const auto repeated = std::ranges::unique(out);
  out.erase(repeated.begin(), repeated.end());
  return out;
}

Status Runtime::State::ensure_zygote() {
  if (zygote && zygote->running()) return {};
  const std::string jail = options.run_dir / "jail";
  HEARTH_CHECK_OK(base::make_private_directory(jail));
  HEARTH_CHECK_OK(base::make_private_directory(options.run_dir / "tmp"));
  zygote = std::make_unique<Zygote>(
      loop, tasks,
      ZygoteOptions{options.python, jail, images.root().string(), options.hosts_file.string(),
                    options.run_dir.string(), confinement, options.sandbox},
      [this](const std::string& id, int code, bool out_of_memory) {
        ended(id, code, out_of_memory);
      });
  return zygote->start();
}

Status Runtime::State::fork_instance(Entry& entry, const InstanceSpec& spec,
                                     const ImageRootfs& image, const ImageProcessFds& fds) {
  HEARTH_CHECK_OK(ensure_zygote());
  const auto limits =
      limits_of(entry, spec, is_python_wrapper(spec, image) ? kForkedMemoryMin : kSpawnedMemoryMin);
  Json order = zygote->sandboxed() ? fork_order(spec, image)
                                   : unjailed_fork_order(spec, image, options.run_dir / "tmp");
  confinement.add_rlimits(order["rlimits"], limits.memory_bytes);
  return zygote->fork(entry.instance.id, order, limits,
                      {fds.listen, fds.control, fds.output, fds.output});
}

Status Runtime::State::start_wrapper(Entry& entry, const InstanceSpec& spec,
                                     const ImageRootfs& image, const ImageProcessFds& fds) {
  if (!image.host_backed) return start_image(entry, spec, image, fds);
  if (is_python_wrapper(spec, image)) return fork_instance(entry, spec, image, fds);
  // Not the first program: a fork server takes longer to start than the program does.
  if (is_program(spec, image) && zygote && zygote->executes_programs()) {
    const Status forked = fork_instance(entry, spec, image, fds);
    if (forked) return forked;
    kLog.warn("fork_failed", {{"instance", spec.id}, {"error", forked.error().message}});
  }
  return spawn_instance(entry, spec, image, fds);
}

Result<process::SpawnRequest> Runtime::State::wrapper_request(const InstanceSpec& spec,
                                                              const ImageRootfs& image) const {
  process::SpawnRequest request;
  const auto env = frame_environment(spec, image);
  for (const auto& [name, value] : env) request.env.push_back(fmt::format("{}={}", name, value));
  request.argv = instance_command(spec, image);
  if (request.argv.empty()) return fail(Code::kInvalid, "the image says no command");
  request.argv[0] = find_program(request.argv[0], env.at("PATH"));
  request.working_dir = image.config.working_dir.empty() ? "/" : image.config.working_dir;
  request.limits.open_files = 4096;
  if (!options.sandbox) return request;
  process::Jail jail{.root = options.run_dir / "jail", .binds = process::host_binds()};
  HEARTH_CHECK_OK(base::make_private_directory(jail.root));
  jail.binds.push_back({image.path / "app", "/app", false});
  jail.files = {{"/etc/passwd", "function:x:65532:65532::/tmp:/bin/sh\n"},
                {"/etc/group", "function:x:65532:\n"}};
  jail.binds.push_back({options.hosts_file, "/etc/hosts", false});
  jail.hostname = spec.id.substr(0, 63);
  request.jail = std::move(jail);
  return request;
}

// The same program on the machine's own paths.
Status Runtime::State::leave_jail(process::SpawnRequest& request,
                                  const std::filesystem::path& app) {
  request.jail.reset();
  request.working_dir = app;
  if (request.argv[0].starts_with("/app/")) request.argv[0] = app / request.argv[0].substr(5);
  HEARTH_CHECK_OK(base::make_private_directory(options.run_dir / "tmp"));
  request.env.push_back("TMPDIR=" + (options.run_dir / "tmp").string());
  return {};
}

Status Runtime::State::spawn_instance(Entry& entry, const InstanceSpec& spec,
                                      const ImageRootfs& image, const ImageProcessFds& fds) {
  HEARTH_TRY(request, wrapper_request(spec, image));
  const base::UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  request.fds = {
      {null.get(), 0}, {fds.output, 1}, {fds.output, 2}, {fds.listen, 3}, {fds.control, 4}};
  const auto limits = limits_of(entry, spec, kSpawnedMemoryMin);
  entry.group = confinement.take_group(limits);
  request.cgroup = entry.group.get();
  confinement.apply(request, limits.memory_bytes, {});
  auto child = process::spawn(request);
  if (!child && request.jail && process::withholds_namespaces(child.error())) {
    kLog.warn("sandbox_withheld", {{"error", child.error().message}});
    options.sandbox = false;
    namespaces_withheld = true;
  }
  if (!child && !options.sandbox) {
    const std::filesystem::path app = image.path / "app";
    HEARTH_CHECK_OK(leave_jail(request, app));
    confinement.apply(request, limits.memory_bytes, {app});
    child = process::spawn(request);
  }
  if (!child) return fail(child.error());
  entry.child = std::make_unique<process::Child>(std::move(*child));
  // Not now: what waits for this instance goes first.
  loop.post([state = shared_from_this()] { state->confinement.prepare_group(); });
  return {};
}

Task<Result<Instance>> Runtime::start(InstanceSpec spec) {
  const auto state = state_;
  HEARTH_CO_TRY(image, co_await state->images.prepare(spec.image));
  if (image.unflushed) state->tasks.spawn(state->images.flush());
  if (image.host_backed && !image.frames) {
    co_return fail(Code::kUnsupported,
                   fmt::format("image {} stands on this machine's files and has no wrapper: it "
                               "needs a base image in the embedded registry",
                               spec.image));
  }
  if (auto prepared = state->take_prepared(spec, image)) {
    auto instance = state->hand_over(std::move(*prepared), spec, image);
    if (instance) co_return instance;
    kLog.warn("prepared_process_lost", {{"error", instance.error().message}});
  }
  HEARTH_CO_TRY(output, make_output_pipe());
  co_return image.frames
      ? start_with_frames(std::move(spec), image, std::move(output.read), std::move(output.write))
      : start_with_http(std::move(spec), image, std::move(output.read), std::move(output.write));
}

Result<Instance> Runtime::start_with_frames(InstanceSpec spec, const ImageRootfs& image,
                                            base::UniqueFd output, base::UniqueFd output_write) {
  const auto state = state_;
  HEARTH_TRY(channels, make_frame_channels(state->options.run_dir / (spec.id + ".sock")));
  State::Entry& entry = state->entries[spec.id];
  entry.instance = {
      .id = spec.id, .socket_path = channels.socket_path, .image_digest = image.digest};
  const ImageProcessFds fds{output_write.get(), channels.listener.get(),
                            channels.control_of_instance.get()};
  const Status started = state->start_wrapper(entry, spec, image, fds);
  if (!started) {
    ::unlink(channels.socket_path.c_str());
    state->entries.erase(spec.id);
    return fail(started.error());
  }
  state->follow(spec.id, entry, std::move(channels.control), std::move(output));
  if (entry.child) state->tasks.spawn(State::watch_exit(state, spec.id));
  if (image.host_backed && !is_python_wrapper(spec, image)) {
    state->warm_up(is_node_wrapper(spec, image));
  }
  return entry.instance;
}

void Runtime::State::follow(const std::string& id, Entry& entry, base::UniqueFd control,
                            base::UniqueFd output) {
  entry.control = http::Stream::adopt(loop, std::move(control));
  entry.streams = 2;
  tasks.spawn(read_control(shared_from_this(), id, *entry.control));
  tasks.spawn(read_output(shared_from_this(), id, std::move(output)));
  tasks.spawn(lose_patience(shared_from_this(), id));
}

std::optional<PreparedProcess> Runtime::State::take_prepared(const InstanceSpec& spec,
                                                             const ImageRootfs& image) {
  if (!prepared || !can_be_prepared(spec, image)) return std::nullopt;
  return std::exchange(prepared, std::nullopt);
}

Result<Instance> Runtime::State::hand_over(PreparedProcess process, const InstanceSpec& spec,
                                           const ImageRootfs& image) {
  Entry& entry = entries[spec.id];
  entry.instance = {
      .id = spec.id, .socket_path = process.socket_path, .image_digest = image.digest};
  const auto limits = limits_of(entry, spec, kSpawnedMemoryMin);
  Json order = fork_order(spec, image);
  order["rlimits"] = Json::object();  // it has them
  confinement.add_rlimits(order["rlimits"], limits.memory_bytes);
  const Status handed = zygote->hand_over(process.id, spec.id, order, limits);
  if (!handed) {
    zygote->kill(process.id, SIGKILL);
    ::unlink(process.socket_path.c_str());
    entries.erase(spec.id);
    return fail(handed.error());
  }
  follow(spec.id, entry, std::move(process.control), std::move(process.output));
  warm_up(true);
  return entry.instance;
}

// What the next program starts faster with. Not now: what waits for this one goes first.
void Runtime::State::warm_up(bool for_node) {
  if (for_node) {
    prepare_next();
  } else if (options.sandbox && (!zygote || (!zygote->running() && zygote->probed()))) {
    tasks.spawn(start_zygote_later(shared_from_this()));
  }
}

Task<void> Runtime::State::start_zygote_later(std::shared_ptr<State> state) {
  if (!co_await async::sleep_for(kPrepareDelay) || state->stopping) co_return;
  const Status started = state->ensure_zygote();
  if (!started) kLog.info("no_fork_server", {{"error", started.error().message}});
}

void Runtime::State::prepare_next() {
  if (!options.sandbox || cannot_prepare || prepared) return;
  if (std::exchange(preparing, true)) return;
  tasks.spawn(prepare_later(shared_from_this()));
}

Task<void> Runtime::State::prepare_later(std::shared_ptr<State> state) {
  const bool waited = co_await async::sleep_for(kPrepareDelay);
  state->preparing = false;
  if (!waited || state->stopping) co_return;
  if (const Status running = state->ensure_zygote(); !running || !state->zygote->sandboxed()) {
    co_return;
  }
  auto made = prepare_process(*state->zygote, state->confinement, state->options.run_dir,
                              fmt::format("prepared-{}", ++state->prepared_made));
  if (made)
    state->prepared.emplace(std::move(*made));
  else
    kLog.warn("prepare_failed", {{"error", made.error().message}});
}

Result<Instance> Runtime::start_with_http(InstanceSpec spec, const ImageRootfs& image,
                                          base::UniqueFd output, base::UniqueFd output_write) {
  const auto state = state_;
  State::Entry& entry = state->entries[spec.id];
  entry.instance = {.id = spec.id, .socket_path = {}, .image_digest = image.digest};
  const Status started = state->start_image(entry, spec, image, {.output = output_write.get()});
  if (!started) {
    state->entries.erase(spec.id);
    return fail(started.error());
  }
  entry.streams = 1;
  state->tasks.spawn(State::read_output(state, spec.id, std::move(output)));
  state->tasks.spawn(State::watch_exit(state, spec.id));
  state->tasks.spawn(State::lose_patience(state, spec.id));
  return entry.instance;
}

Status Runtime::State::start_image(Entry& entry, const InstanceSpec& spec, const ImageRootfs& image,
                                   const ImageProcessFds& fds) {
  if (!options.sandbox) {
    return fail(Code::kUnavailable,
                "images with files of their own need namespaces, which are switched off or "
                "withheld by this machine");
  }
  entry.scratch = options.scratch / spec.id;
  const auto limits = limits_of(entry, spec, kImageMemoryMin);
  entry.group = confinement.take_group(limits);
  auto started = start_image_process(spec, image, fds,
                                     {.jail_root = entry.scratch / "root",
                                      .scratch = entry.scratch,
                                      .hosts_file = options.hosts_file,
                                      .hostname = spec.id.substr(0, 63)},
                                     [&](process::SpawnRequest& request) {
                                       request.cgroup = entry.group.get();
                                       confinement.apply(request, limits.memory_bytes, {});
                                       // All that the jail shows is the instance's own, or
                                       // read-only.
                                       if (request.landlock) request.landlock->writable = {"/"};
                                     });
  if (!started) {
    tasks.spawn(images.remove_scratch(entry.scratch));
    return fail(started.error());
  }
  entry.child = std::make_unique<process::Child>(std::move(started->child));
  entry.probe = spec.probe;
  entry.wanted_port = spec.port;
  if (entry.child->binds) {
    tasks.spawn(watch_binds(shared_from_this(), spec.id,
                            process::BindWatch(std::move(entry.child->binds), spec.port)));
  } else if (started->port != 0) {
    listens_at(spec.id, "127.0.0.1", started->port);
  }
  loop.post([state = shared_from_this()] { state->confinement.prepare_group(); });
  return {};
}

// A program may take its port more than once (first to try, or by both IP versions).
void Runtime::State::listens_at(const std::string& id, std::string host, std::uint16_t port) {
  const auto it = entries.find(id);
  if (it == entries.end()) return;
  it->second.instance.host = std::move(host);
  it->second.instance.port = port;
  tasks.spawn(probe_until_ready(shared_from_this(), id, ++it->second.bound));
}

Task<void> Runtime::State::watch_binds(std::shared_ptr<State> state, std::string id,
                                       process::BindWatch watch) {
  process::PipeReader waiter(state->loop, base::UniqueFd(::dup(watch.fd())));
  while (state->entries.contains(id) && co_await waiter.wait_readable()) {
    auto moved = watch.answer_one();
    // ENOENT: the caller was killed while it waited.
    if (!moved && moved.error().code != Code::kNotFound) {
      kLog.warn("port_not_moved", {{"instance", id}, {"error", moved.error().message}});
      if (!state->entries.contains(id)) co_return;
    }
    if (moved && *moved) state->listens_at(id, (*moved)->host, (*moved)->port);
  }
}

Task<void> Runtime::State::probe_until_ready(std::shared_ptr<State> state, std::string id,
                                             std::uint64_t bound) {
  std::chrono::microseconds pause{500};
  while (true) {
    auto it = state->entries.find(id);
    if (it == state->entries.end() || it->second.bound != bound) co_return;
    const Instance instance = it->second.instance;
    const ReadinessProbe probe = it->second.probe;
    const Status answered = co_await probe_once(state->loop, instance.host, instance.port, probe);
    it = state->entries.find(id);
    if (it == state->entries.end() || it->second.bound != bound) co_return;
    if (answered) {
      it->second.ready = true;
      state->emit({.kind = InstanceEvent::Kind::kReady,
                   .id = id,
                   .port = instance.port,
                   .host = instance.host});
      co_return;
    }
    it->second.probe_message = answered.error().message;
    if (!co_await async::sleep_for(pause)) co_return;
    pause = std::min<std::chrono::microseconds>(pause * 3 / 2, kProbePauseMax);
  }
}

// Says why an instance isn't ready; it may become so later all the same.
Task<void> Runtime::State::lose_patience(std::shared_ptr<State> state, std::string id) {
  if (!state->entries.contains(id)) co_return;
  const bool frames = !state->entries.at(id).instance.socket_path.empty();
  const auto patience = frames ? kLoadPatience : kReadyPatience;
  if (!co_await async::sleep_for(patience)) co_return;
  const auto it = state->entries.find(id);
  if (it == state->entries.end() || it->second.ready || it->second.failed) co_return;
  const Entry& entry = it->second;
  std::string message =
      frames             ? fmt::format("the handler is not loaded after {} s", patience.count())
      : entry.bound == 0 ? fmt::format(
                               "nothing listens at port {} after {} s: an image must listen at its "
                               "containerPort, which PORT names",
                               entry.wanted_port, kReadyPatience.count())
                         : entry.probe_message;
  if (const std::string tail = state->logs.tail(id, kTailLines); !tail.empty()) {
    message += "\n" + tail;
  }
  state->emit({.kind = InstanceEvent::Kind::kFailed,
               .id = id,
               .reason = "NotReady",
               .message = std::move(message)});
}

void Runtime::State::handle_control(const std::string& id, std::string_view line) {
  const auto message = base::parse_json(line);
  const auto it = entries.find(id);
  if (!message || it == entries.end()) return;
  const std::string type = base::string_at(*message, {"type"});
  if (type == "ready") {
    it->second.ready = true;
    emit({.kind = InstanceEvent::Kind::kReady, .id = id});
  } else if (type == "failed") {
    it->second.failed = true;
    std::string text = base::string_at(*message, {"traceback"});
    if (text.empty()) text = base::string_at(*message, {"message"});
    emit({.kind = InstanceEvent::Kind::kFailed,
          .id = id,
          .reason = base::string_at(*message, {"error"}, "Error"),
          .message = text});
  } else if (type == "timeout") {
    emit({.kind = InstanceEvent::Kind::kTimedOut, .id = id});
  }
}

Task<void> Runtime::State::read_control(std::shared_ptr<State> state, std::string id,
                                        http::Stream& control) {
  constexpr std::size_t kLineMax = 256 * 1024;
  std::string buffer;
  char piece[8 * 1024];
  while (buffer.size() < kLineMax) {
    const auto got = co_await control.read_some(piece, sizeof piece);
    if (!got || *got == 0) break;
    buffer.append(piece, *got);
    for (auto end = buffer.find('\n'); end != buffer.npos; end = buffer.find('\n')) {
      state->handle_control(id, std::string_view(buffer).substr(0, end));
      buffer.erase(0, end + 1);
    }
  }
  state->stream_ended(id);
}

// What an instance said last is often why it ended: kExited waits for it.
void Runtime::State::stream_ended(const std::string& id) {
  const auto it = entries.find(id);
  if (it == entries.end()) return;
  --it->second.streams;
  if (it->second.streams_ended) it->second.streams_ended->notify();
}

Task<void> Runtime::State::read_output(std::shared_ptr<State> state, std::string id,
                                       base::UniqueFd fd) {
  process::PipeReader reader(state->loop, std::move(fd));
  char piece[16 * 1024];
  while (true) {
    const auto got = co_await reader.read_some(piece, sizeof piece);
    if (!got || *got == 0) break;
    state->logs.append(id, std::string_view(piece, *got));
  }
  state->logs.close(id);
  state->stream_ended(id);
}

Task<void> Runtime::State::watch_exit(std::shared_ptr<State> state, std::string id) {
  const auto& child = *state->entries.at(id).child;
  process::PipeReader waiter(state->loop, base::UniqueFd(::dup(child.pidfd.get())));
  if (!co_await waiter.wait_readable()) co_return;
  const auto it = state->entries.find(id);
  if (it == state->entries.end()) co_return;
  const int code = process::reap(*it->second.child);
  state->ended(id, code, it->second.group && it->second.group->out_of_memory());
}

// The limit, or what the runtime needs, whichever is more.
process::CgroupLimits Runtime::State::limits_of(Entry& entry, const InstanceSpec& spec,
                                                std::uint64_t memory_min) {
  process::CgroupLimits out{.memory_bytes = spec.memory_bytes,
                            .processes = kInstanceTasksMax,
                            .cpu_milli = spec.cpu_milli};
  if (out.memory_bytes > 0 && out.memory_bytes < memory_min) {
    out.memory_bytes = memory_min;
    entry.instance.warning = fmt::format(
        "the memory limit of {} KiB is below what the runtime itself needs; {} MiB are "
        "given",
        spec.memory_bytes >> 10, memory_min >> 20);
  }
  entry.memory_bytes = out.memory_bytes;
  return out;
}

Task<void> Runtime::State::end(std::shared_ptr<State> state, std::string id, int code,
                               bool out_of_memory) {
  const auto it = state->entries.find(id);
  if (it == state->entries.end()) co_return;
  auto& signal = it->second.streams_ended;
  signal = std::make_unique<async::Signal>(state->loop);
  // Bounded: a process of its own that it left behind may hold them open.
  while (it->second.streams > 0 && co_await signal->wait_for(kLastWordsMax)) {
  }
  state->report_end(id, code, out_of_memory);
}

void Runtime::State::ended(const std::string& id, int code, bool out_of_memory) {
  if (prepared && prepared->id == id) {
    kLog.warn("prepared_process_ended", {{"code", code}});
    cannot_prepare = code == kNotStarted;
    ::unlink(prepared->socket_path.c_str());
    prepared.reset();
  }
  tasks.spawn(end(shared_from_this(), id, code, out_of_memory));
}

void Runtime::State::report_end(const std::string& id, int code, bool out_of_memory) {
  const auto it = entries.find(id);
  if (it == entries.end()) return;
  const bool said_why = it->second.failed;
  const std::uint64_t memory = it->second.memory_bytes;
  if (!it->second.scratch.empty()) tasks.spawn(images.remove_scratch(it->second.scratch));
  if (it->second.control) {
    ::unlink(it->second.instance.socket_path.c_str());
    it->second.control->close();
    // The reading task still uses the stream: it goes when the task has seen the end.
    loop.post([control = std::move(it->second.control)] {});
  }
  entries.erase(it);
  InstanceEvent event{.kind = InstanceEvent::Kind::kExited,
                      .id = id,
                      .reason = fmt::format("ExitCode{}", code),
                      .said_why = said_why,
                      .last_lines = said_why ? std::string() : logs.tail(id, kTailLines),
                      .exit_code = code};
  if (out_of_memory) {
    event.reason = "OOMKilled";
    event.message = fmt::format(
        "the kernel ended the instance: its memory limit of {} MiB was used up", memory >> 20);
  }
  emit(std::move(event));
  if (entries.empty()) emptied.notify();
}

void Runtime::State::signal(Entry& entry, int number) {
  if (entry.child)
    process::send_signal(*entry.child, number);
  else if (zygote)
    zygote->kill(entry.instance.id, number);
}

Task<void> Runtime::State::kill_later(std::shared_ptr<State> state, std::string id,
                                      std::chrono::milliseconds grace) {
  if (!co_await async::sleep_for(grace)) co_return;
  if (const auto it = state->entries.find(id); it != state->entries.end()) {
    state->signal(it->second, SIGKILL);
  }
}

void Runtime::stop(const std::string& id, std::chrono::milliseconds grace) {
  const auto it = state_->entries.find(id);
  if (it == state_->entries.end()) return;
  if (grace.count() <= 0) {
    state_->signal(it->second, SIGKILL);
    return;
  }
  if (std::exchange(it->second.stopping, true)) return;
  state_->signal(it->second, SIGTERM);
  state_->tasks.spawn(State::kill_later(state_, id, grace));
}

Task<void> Runtime::shutdown() {
  const auto state = state_;
  state->stopping = true;
  for (auto& [id, entry] : state->entries) state->signal(entry, SIGTERM);
  if (!state->entries.empty()) (void)co_await state->emptied.wait_for(std::chrono::seconds(2));
  for (auto& [id, entry] : state->entries) state->signal(entry, SIGKILL);
  if (!state->entries.empty()) (void)co_await state->emptied.wait_for(std::chrono::seconds(1));
  state->tasks.cancel();
  co_await state->tasks.drain();
  state->zygote.reset();
}

}  // namespace hearth::runtime
