#include "emulator/runtime/zygote.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <set>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "emulator/runtime/confinement.h"
#include "platform/async/loop.h"
#include "platform/async/task_group.h"
#include "platform/base/embedded_files.h"
#include "platform/base/file.h"
#include "platform/process/pipe_reader.h"
#include "platform/telemetry/log.h"

namespace hearth::runtime {
namespace {

constexpr telemetry::Log kLog("zygote");
constexpr std::size_t kPacketBytesMax = 1 << 18;
constexpr std::size_t kOrderBytesMax = 1 << 20;
// What a pipe holds: the fork server must not wait for who reads it.
constexpr std::size_t kPreparedOrderBytesMax = 1 << 16;
constexpr const char* kResolver = "/etc/resolv.conf";
constexpr std::size_t kResolverBytesMax = 1 << 16;

std::string embedded(std::string_view path) {
  return std::string(base::embedded_file(path).value_or(""));
}

// One packet with descriptors (SCM_RIGHTS). The socket is non-blocking: a full queue is an error.
Status send_packet(int socket, const std::string& text, const std::vector<int>& fds) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(8 * sizeof(int))> control{};
  if (!fds.empty()) {
    const std::size_t bytes = fds.size() * sizeof(int);
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(header), fds.data(), bytes);
  }
  if (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0) {
    return fail(system_error(errno, "asking the fork server"));
  }
  return {};
}

// An unnamed file with the text.
Result<base::UniqueFd> memory_file(const std::string& text) {
  base::UniqueFd file(::memfd_create("order", MFD_CLOEXEC));
  if (!file) return fail(system_error(errno, "memfd_create"));
  HEARTH_CHECK_OK(base::write_all(file.get(), text));
  return file;
}

}  // namespace

struct Zygote::State {
  State(async::Loop& l, ZygoteOptions o, ExitHandler h)
      : loop(l), options(std::move(o)), on_exit(std::move(h)) {}

  Status launch();
  void refresh_resolver();
  Status write_scripts() const;
  std::string resolver_copy() const { return options.scratch + "/resolv.conf"; }
  process::SpawnRequest request(int socket) const;
  void take_probe(const Json& message);
  void handle(std::string_view packet);
  static Task<void> listen(std::shared_ptr<State> state);

  async::Loop& loop;
  ZygoteOptions options;
  ExitHandler on_exit;
  process::Child child;
  base::UniqueFd socket;
  std::string resolver;  // what /etc/resolv.conf said last
  std::set<std::string> instances;
  std::vector<std::string> degraded;
  bool alive = false;
  bool probed = false;
  bool programs = false;
};

Zygote::Zygote(async::Loop& loop, async::TaskGroup& tasks, ZygoteOptions options,
               ExitHandler on_exit)
    : state_(std::make_shared<State>(loop, std::move(options), std::move(on_exit))),
      tasks_(tasks) {}

Zygote::~Zygote() {
  if (!state_->alive) return;
  process::send_signal(state_->child, SIGKILL);
  (void)process::reap(state_->child);
}

process::SpawnRequest Zygote::State::request(int socket_fd) const {
  process::SpawnRequest out;
  std::string scripts = options.scratch;
  if (options.sandbox) {
    scripts = "/hearth";
    process::Jail jail{.root = options.jail_root, .binds = process::host_binds()};
    jail.binds.push_back({options.images_root, "/images", false});
    jail.binds.push_back({options.hosts_file, "/etc/hosts", false});
    if (!resolver.empty()) jail.binds.push_back({resolver_copy(), kResolver, false});
    jail.files = {
        {"/hearth/zygote.py", embedded("emulator/runtime/zygote.py")},
        {"/hearth/runtime.py", embedded("platform/lambda/wrappers/python/runtime.py")},
        {kNodeWrapper, embedded("platform/lambda/wrappers/node/runtime.js")},
        {"/etc/passwd", "root:x:0:0::/tmp:/bin/sh\nfunction:x:65532:65532::/tmp:/bin/sh\n"},
        {"/etc/group", "root:x:0:\nfunction:x:65532:\n"},
        {"/hearth/confinement.json", base::dump_json(options.confinement.for_fork_server(true))}};
    for (process::Bind& bind : options.confinement.fork_server_binds()) {
      jail.binds.push_back(std::move(bind));
    }
    jail.rights = process::Jail::Rights::kAll;
    jail.hostname = "hearth";
    out.jail = std::move(jail);
  }
  out.argv = {options.python, "-I", scripts + "/zygote.py"};
  out.env = {"PATH=/usr/local/bin:/usr/bin:/bin",
             "HEARTH_ZYGOTE_FD=3",
             "HOME=/tmp",
             "LANG=C.UTF-8",
             "HEARTH_RUNTIME_PATH=" + scripts + "/runtime.py",
             "HEARTH_CONFINEMENT=" + scripts + "/confinement.json",
             "PYTHONDONTWRITEBYTECODE=1"};
  out.seccomp = options.confinement.fork_server_filter();
  out.fds = {{socket_fd, 3}, {STDERR_FILENO, 2}, {STDERR_FILENO, 1}};
  out.limits.open_files = 65'536;
  return out;
}

// Where a jail would have them as files of its own.
Status Zygote::State::write_scripts() const {
  const std::pair<const char*, std::string> files[] = {
      {"zygote.py", embedded("emulator/runtime/zygote.py")},
      {"runtime.py", embedded("platform/lambda/wrappers/python/runtime.py")},
      {"confinement.json", base::dump_json(options.confinement.for_fork_server(false))}};
  for (const auto& [name, text] : files) {
    HEARTH_CHECK_OK(base::write_file_atomically(options.scratch + "/" + name, text));
  }
  return {};
}

// The jail holds on to the file that it was made with, and a machine that changes its network
// replaces that. So it gets a copy, which is written in place.
void Zygote::State::refresh_resolver() {
  auto now = base::read_file(kResolver, kResolverBytesMax);
  if (!now || *now == resolver) return;
  if (base::overwrite_file(resolver_copy(), *now)) resolver = std::move(*now);
}

Status Zygote::State::launch() {
  options.confinement.clear_fork_server_groups();
  refresh_resolver();
  if (!options.sandbox) HEARTH_CHECK_OK(write_scripts());
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
    return fail(system_error(errno, "socketpair"));
  }
  socket = base::UniqueFd(pair[0]);
  const base::UniqueFd theirs(pair[1]);
  // A large send buffer: a burst of forks must not meet a full queue.
  const int bytes = 4 * 1024 * 1024;
  ::setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  auto spawned = process::spawn(request(theirs.get()));
  if (!spawned) return fail(spawned.error());
  child = std::move(*spawned);
  alive = true;
  return {};
}

Status Zygote::start() {
  State& state = *state_;
  if (state.alive) return {};
  Status launched = state.launch();
  if (!launched && state.options.sandbox && process::withholds_namespaces(launched.error())) {
    kLog.warn("sandbox_withheld", {{"error", launched.error().message}});
    state.options.sandbox = false;
    state.degraded = {"namespaces"};
    launched = state.launch();
  }
  if (!launched) return launched;
  tasks_.spawn(State::listen(state_));
  return {};
}

bool Zygote::running() const { return state_->alive; }
bool Zygote::sandboxed() const { return state_->options.sandbox; }
bool Zygote::executes_programs() const {
  return state_->alive && state_->options.sandbox && state_->programs;
}
bool Zygote::probed() const { return state_->probed; }
const std::vector<std::string>& Zygote::degraded() const { return state_->degraded; }
pid_t Zygote::pid() const { return state_->child.pid; }

Status Zygote::fork(const std::string& id, const Json& order, const process::CgroupLimits& limits,
                    std::vector<int> fds) {
  if (!state_->alive) return fail(Code::kUnavailable, "the fork server is not running");
  const std::string text = base::dump_json(order);
  if (text.size() > kOrderBytesMax) return fail(Code::kTooLarge, "the environment is too large");
  state_->refresh_resolver();
  HEARTH_TRY(file, memory_file(text));
  fds.push_back(file.get());
  const Json packet{{"op", "fork"},
                    {"id", id},
                    {"app", base::string_at(order, {"app"})},
                    {"sandbox", state_->options.sandbox},
                    {"limits", state_->options.confinement.fork_server_limits(limits)}};
  HEARTH_CHECK_OK(send_packet(state_->socket.get(), base::dump_json(packet), fds));
  state_->instances.insert(id);
  return {};
}

Status Zygote::prepare(const std::string& id, const Json& program, const std::vector<int>& fds) {
  if (!state_->alive) return fail(Code::kUnavailable, "the fork server is not running");
  Json packet = program;
  packet["op"] = "prepare";
  packet["id"] = id;
  HEARTH_CHECK_OK(send_packet(state_->socket.get(), base::dump_json(packet), fds));
  state_->instances.insert(id);
  return {};
}

Status Zygote::hand_over(const std::string& prepared, const std::string& id, const Json& order,
                         const process::CgroupLimits& limits) {
  if (!state_->instances.contains(prepared)) {
    return fail(Code::kUnavailable, "the prepared process has ended");
  }
  const std::string text = base::dump_json(order);
  if (text.size() > kPreparedOrderBytesMax) {
    return fail(Code::kTooLarge, "the environment is too large for a prepared process");
  }
  state_->refresh_resolver();
  HEARTH_TRY(file, memory_file(text));
  const Json packet{{"op", "hand_over"},
                    {"id", id},
                    {"prepared", prepared},
                    {"app", base::string_at(order, {"app"})},
                    {"hostname", base::string_at(order, {"hostname"})},
                    {"rlimits", order.value("rlimits", Json::object())},
                    {"limits", state_->options.confinement.fork_server_limits(limits)}};
  HEARTH_CHECK_OK(send_packet(state_->socket.get(), base::dump_json(packet), {file.get()}));
  state_->instances.erase(prepared);
  state_->instances.insert(id);
  return {};
}

void Zygote::kill(const std::string& id, int signal) {
  if (!state_->alive || !state_->instances.contains(id)) return;
  (void)send_packet(state_->socket.get(),
                    base::dump_json({{"op", "kill"}, {"id", id}, {"signal", signal}}), {});
}

void Zygote::State::take_probe(const Json& message) {
  probed = true;
  programs = base::bool_at(message, {"programs"}).value_or(false);
  const Json* list = base::find(message, {"degraded"});
  if (!options.sandbox || list == nullptr || !list->is_array() || list->empty()) return;
  for (const Json& item : *list) degraded.push_back(item.get<std::string>());
  kLog.warn("sandbox_degraded", {{"missing", base::dump_json(*list)}});
}

void Zygote::State::handle(std::string_view packet) {
  const auto message = base::parse_json(packet);
  if (!message) return;
  const std::string op = base::string_at(*message, {"op"});
  const std::string id = base::string_at(*message, {"id"});
  if (op == "probed") take_probe(*message);
  if (op == "error") {
    kLog.error("fork_failed",
               {{"instance", id}, {"error", base::string_at(*message, {"message"})}});
    if (instances.erase(id) > 0) on_exit(id, 127, false);
  }
  if (op == "exited" && instances.erase(id) > 0) {
    const auto signal = base::int_at(*message, {"signal"});
    on_exit(id,
            static_cast<int>(signal ? 128 + *signal : base::int_at(*message, {"code"}).value_or(1)),
            base::bool_at(*message, {"oom"}).value_or(false));
  }
}

Task<void> Zygote::State::listen(std::shared_ptr<State> state) {
  // The reader owns a duplicate: it may outlive the Zygote by one wait.
  process::PipeReader reader(state->loop, base::UniqueFd(::dup(state->socket.get())));
  std::string buffer(kPacketBytesMax, '\0');
  while (true) {
    const auto got = co_await reader.read_some(buffer.data(), buffer.size());
    if (!got && got.error().code == Code::kCancelled) co_return;
    if (!got || *got == 0) break;
    state->handle(std::string_view(buffer).substr(0, *got));
  }
  // The fork server died, and its children with it. The next start brings a new one.
  const int code = process::reap(state->child);
  state->alive = false;
  kLog.error("fork_server_ended", {{"code", code}});
  for (const std::string& id : std::exchange(state->instances, {})) state->on_exit(id, 137, false);
}

}  // namespace hearth::runtime
