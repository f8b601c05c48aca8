// hearth up: the daemon, in the foreground or (-d) in the background.
#include <algorithm>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/daemon.h"
#include "cli/detach.h"
#include "cli/exit_code.h"
#include "cli/port_holder.h"
#include "cli/server_process.h"
#include "cli/standard_output.h"
#include "cli/state_location.h"
#include "cli/up_flags.h"
#include "emulator/emulator.h"
#include "platform/base/file.h"
#include "platform/base/json.h"
#include "platform/base/random_id.h"
#include "platform/base/remove_tree.h"
#include "platform/base/text.h"
#include "platform/base/unique_fd.h"
#include "platform/telemetry/log.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

constexpr telemetry::Log kLog("config");
constexpr rlim_t kDescriptorsWanted = 65'536;
constexpr std::size_t kReadyFileBytesMax = 64 * 1024;

std::uint16_t port_or(int given, int base_port, std::uint16_t standard) {
  if (given >= 0) return static_cast<std::uint16_t>(given);
  // `--port 0` asks for free ports everywhere.
  return base_port == 0 ? 0 : standard;
}

Status write_endpoints(const fs::path& path, const UpFlags& flags, const fs::path& state,
                       const emulator::Endpoints& endpoints) {
  const Json ready{{"pid", ::getpid()},
                   {"state", state.string()},
                   {"gateway", endpoints.gateway},
                   {"api", endpoints.api},
                   {"s3", endpoints.s3},
                   {"registry", endpoints.registry},
                   {"kubeconfig", endpoints.kubeconfig.string()},
                   {"s3AccessKey", flags.s3_access_key},
                   {"s3SecretKey", flags.s3_secret_key}};
  return base::write_file_atomically(path, base::dump_json_pretty(ready) + "\n", 0600);
}

void print_endpoints(const std::string& gateway, const std::string& kubeconfig,
                     const std::string& s3, const std::string& registry) {
  std::cerr << fmt::format(
      "hearth is up\n"
      "  functions   http://NAME.NAMESPACE.localhost{}\n"
      "  events      {}/NAMESPACE/BROKER\n"
      "  kubernetes  export KUBECONFIG={}\n"
      "  s3          {}\n"
      "  registry    {}\n",
      gateway.substr(gateway.rfind(':')), gateway, kubeconfig, s3, registry);
}

// What the flags were before the configuration file, to read it again.
struct Configuration {
  UpFlags given;
  IsGiven is_given;
};

std::map<std::string, std::string> s3_keys(const UpFlags& flags) {
  auto keys = flags.s3_credentials;
  keys[flags.s3_access_key] = flags.s3_secret_key;
  return keys;
}

emulator::EmulatorOptions options_from(const UpFlags& flags, const fs::path& state) {
  emulator::EmulatorOptions options;
  options.state = state;
  options.address = flags.listen;
  options.hosts = flags.hosts;
  options.gateway_port = port_or(flags.port, flags.port, 8080);
  options.api_port = port_or(flags.api_port, flags.port, 6443);
  options.s3_port = port_or(flags.s3_port, flags.port, 9000);
  options.registry_port = port_or(flags.registry_port, flags.port, 5001);
  options.s3_credentials = s3_keys(flags);
  options.languages = flags.languages;
  options.caches = flags.cache.empty() ? default_cache() : fs::absolute(flags.cache);
  if (flags.build == "kaniko") options.kaniko_executor = fs::absolute(flags.kaniko_executor);
  options.build_host_credentials = flags.build_host_credentials;
  options.gcs_endpoint = flags.gcs_endpoint;
  options.dev = flags.dev;
  options.sandbox = !flags.no_sandbox;
  options.controllers = controller_names(flags.controllers);
  return options;
}

// "Address already in use" is only half an answer.
Error with_port_holder(Error error, const emulator::EmulatorOptions& options) {
  if (error.code != Code::kAlreadyExists) return error;
  for (const std::uint16_t port :
       {options.gateway_port, options.api_port, options.s3_port, options.registry_port}) {
    if (port == 0 || !error.message.contains(fmt::format(":{}:", port))) continue;
    if (const auto holder = port_holder(port)) {
      error.message += fmt::format("\n  port {} is held by {}", port, holder->text());
    }
  }
  return error;
}

// A terminal that is closed sends SIGHUP to what runs in it.
bool has_terminal() {
  return base::UniqueFd(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)).get() >= 0;
}

// Reads the configuration file again and takes over what a running daemon can; says the rest. A
// file that is wrong changes nothing.
void reload(const Configuration& configuration, UpFlags& running, const fs::path& state,
            emulator::Emulator& emulator) {
  UpFlags next = configuration.given;
  if (const Status read = apply_config_file(next, configuration.is_given); !read) {
    kLog.error("config_refused", {{"error", read.error().message}});
    return;
  }
  const ChangedKeys changed = changed_keys(running, next);
  running.log_level = next.log_level;
  running.log_format = next.log_format;
  running.access_log = next.access_log;
  running.s3_access_key = next.s3_access_key;
  running.s3_secret_key = next.s3_secret_key;
  running.s3_credentials = next.s3_credentials;
  configure_log(running.log_level, running.log_format, running.access_log);
  emulator.set_s3_credentials(s3_keys(running));
  const Status written =
      write_endpoints(endpoints_file(state), running, state, emulator.endpoints());
  if (!written) kLog.error("endpoints_not_written", {{"error", written.error().message}});
  kLog.info("config_reloaded",
            {{"file", running.config}, {"changed", base::join(changed.taken_over, ",")}});
  if (!changed.need_restart.empty()) {
    kLog.warn("config_needs_restart", {{"keys", base::join(changed.need_restart, ",")}});
  }
}

// Whoever waits for this file must not find one of an earlier daemon. That of a daemon that runs is
// left alone: this start will be refused. So is a file that no daemon wrote.
void remove_ready_file(const std::string& path) {
  if (path.empty()) return;
  const auto text = base::read_file(path, kReadyFileBytesMax);
  if (!text) return;
  const auto ready = base::parse_json(*text);
  if (!ready || !base::int_at(*ready, {"pid"})) return;
  const auto running = running_daemon(base::string_at(*ready, {"state"}));
  if (running && *running != ::getpid()) return;
  std::error_code ignored;
  fs::remove(path, ignored);
}

// From ready to the stop signal.
Status serve(UpFlags flags, const Configuration& configuration, const fs::path& state,
             emulator::Emulator& emulator, Detached& detached, const sigset_t& signals) {
  const emulator::Endpoints& endpoints = emulator.endpoints();
  HEARTH_CHECK_OK(write_endpoints(endpoints_file(state), flags, state, endpoints));
  if (!flags.ready_file.empty()) {
    HEARTH_CHECK_OK(write_endpoints(flags.ready_file, flags, state, endpoints));
  }
  print_endpoints(endpoints.gateway, endpoints.kubeconfig.string(), endpoints.s3,
                  endpoints.registry);
  report_ready(detached);
  int number = 0;
  while (sigwait(&signals, &number) == 0 && number == SIGHUP && !flags.config.empty() &&
         !has_terminal()) {
    reload(configuration, flags, state, emulator);
  }
  std::error_code ignored;
  fs::remove(endpoints_file(state), ignored);
  remove_ready_file(flags.ready_file);
  return {};
}

// Every connection and instance is one or more. The usual limit of 1,024 is for programs that use
// select(), and may be raised by anybody.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kDescriptorsWanted) return;
  limit.rlim_cur = std::min(limit.rlim_max, kDescriptorsWanted);
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

int run_daemon(const UpFlags& flags, const Configuration& configuration, const fs::path& state,
               Detached detached) {
  outlive_reader();
  configure_log(flags.log_level, flags.log_format, flags.access_log);
  raise_descriptor_limit();
  remove_ready_file(flags.ready_file);
  const sigset_t signals = block_stop_signals();
  const emulator::EmulatorOptions options = options_from(flags, state);
  auto started = emulator::Emulator::start(options);
  const Status served = started ? serve(flags, configuration, state, **started, detached, signals)
                                : Status(fail(with_port_holder(started.error(), options)));
  if (started) started->reset();
  if (flags.ephemeral) (void)base::remove_tree(state);
  return finish(served);
}

int announce(const fs::path& state) {
  const auto daemon = find_daemon(state);
  if (!daemon) return report(daemon.error());
  print_endpoints(daemon->gateway, daemon->kubeconfig.string(), daemon->s3, daemon->registry);
  std::cerr << fmt::format(
      "  process     {}, stop it with `hearth down{}`; log in {}\n", daemon->pid,
      state == fs::absolute(default_state()) ? "" : " --state " + state.string(),
      (state / "daemon.log").string());
  return kOk;
}

int run(UpFlags& flags, const Configuration& configuration) {
  if (const Status checked = check_flags(flags); !checked) return report(checked.error());
  fs::path state = Target{.state = flags.state}.state_folder();
  if (flags.ephemeral) {
    state = fs::temp_directory_path() / ("hearth-" + base::random_hex(6));
  }
  if (!flags.detach) return run_daemon(flags, configuration, state, {});
  if (const auto pid = running_daemon(state)) {
    return report({Code::kConflict,
                   fmt::format("process {} is up already with {}", *pid, state.string()),
                   {}});
  }
  auto detached = detach(state);
  if (!detached) return report(detached.error());
  if (!detached->is_parent) {
    return run_daemon(flags, configuration, state, std::move(*detached));
  }
  return detached->exit_code == kOk ? announce(state) : detached->exit_code;
}

void add_address_flags(CLI::App& up, UpFlags& flags) {
  up.add_option("--listen", flags.listen, "Address to listen at")->envname("HEARTH_LISTEN");
  up.add_option(
        "--host", flags.hosts,
        "Name by which this machine is called, with those below it; repeatable. Other names "
        "than localhost and the machine's own are refused")
      ->allow_extra_args(false)
      ->delimiter(',')
      ->envname("HEARTH_HOSTS")
      ->type_name("NAME");
  const auto port = [&up](const char* name, int& value, const char* help, const char* env) {
    up.add_option(name, value, help)->check(CLI::Range(0, 65535))->envname(env)->type_name("PORT");
  };
  port("--port", flags.port, "Gateway port (8080); 0: free ports for everything", "HEARTH_PORT");
  port("--api-port", flags.api_port, "Kubernetes API port (6443)", "HEARTH_API_PORT");
  port("--s3-port", flags.s3_port, "Object store port (9000)", "HEARTH_S3_PORT");
  port("--registry-port", flags.registry_port, "Registry port (5001)", "HEARTH_REGISTRY_PORT");
}

void add_behaviour_flags(CLI::App& up, UpFlags& flags) {
  up.add_flag("--ephemeral", flags.ephemeral, "Throw the state away at the end")
      ->envname("HEARTH_EPHEMERAL");
  up.add_flag("--dev", flags.dev, "Show stack traces in replies")->envname("HEARTH_DEV");
  up.add_flag("--no-sandbox", flags.no_sandbox, "Run functions without namespaces")
      ->envname("HEARTH_NO_SANDBOX");
  up.add_option("--controllers", flags.controllers,
                "Controllers to run: *, none, or a list of function,serving,jobs,eventing")
      ->envname("HEARTH_CONTROLLERS");
  up.add_option("--languages", flags.languages, "Folder of languages that add to the built-in ones")
      ->envname("HEARTH_LANGUAGES")
      ->type_name("DIR");
  up.add_option("--s3-access-key", flags.s3_access_key, "Access key of the object store")
      ->envname("HEARTH_S3_ACCESS_KEY");
  up.add_option("--s3-secret-key", flags.s3_secret_key, "Secret key of the object store")
      ->envname("HEARTH_S3_SECRET_KEY");
  up.add_option("--build", flags.build, "native, or kaniko: with Kaniko's own executor")
      ->check(CLI::IsMember({"native", "kaniko"}))
      ->envname("HEARTH_BUILD");
  up.add_option("--kaniko-executor", flags.kaniko_executor,
                "Kaniko's executor (a static Linux program), for --build=kaniko")
      ->envname("HEARTH_KANIKO_EXECUTOR")
      ->type_name("FILE");
  up.add_flag("--build-host-credentials", flags.build_host_credentials,
              "Give RUN the package managers' settings also where they hold credentials")
      ->envname("HEARTH_BUILD_HOST_CREDENTIALS");
  up.add_option("--cache", flags.cache,
                "Folder of the package managers' caches, shared by all daemons of a user")
      ->envname("HEARTH_CACHE")
      ->type_name("DIR");
  up.add_option("--gcs-endpoint", flags.gcs_endpoint,
                "Where gcs sources are read from; https://storage.googleapis.com unless set")
      ->envname("HEARTH_GCS_ENDPOINT")
      ->type_name("URL");
  add_log_flags(up, flags.log_level, flags.log_format);
  up.add_flag("--access-log", flags.access_log, "Log a line for every request")
      ->envname("HEARTH_ACCESS_LOG");
}

}  // namespace

void register_up(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<UpFlags>();
  CLI::App* up = app.add_subcommand("up", "Start the platform");
  up->add_flag("-d,--detach", flags->detach, "In the background; returns once everything answers");
  up->add_option("--config", flags->config,
                 "YAML file with these settings; flags and environment win")
      ->envname("HEARTH_CONFIG")
      ->type_name("FILE");
  up->add_option("--state", flags->state, "State folder")
      ->check(CLI::Validator(
          [](const std::string& text) {
            // What an unset variable of a script becomes: never the user's own state then.
            return std::string(text.empty() ? "an empty name is no folder" : "");
          },
          "", ""))
      ->envname("HEARTH_STATE")
      ->type_name("DIR");
  up->add_option("--ready-file", flags->ready_file, "Write this JSON file once everything answers")
      ->type_name("FILE");
  add_address_flags(*up, *flags);
  add_behaviour_flags(*up, *flags);
  up->footer(
      "Examples:\n"
      "  hearth up\n"
      "  hearth up -d --port 0\n"
      "  hearth up --config config/hearth.yaml --ephemeral");
  up->callback([flags, up, &exit_code] {
    const Configuration configuration{
        *flags, [up](const std::string& name) { return up->get_option(name)->count() > 0; }};
    const Status configured = apply_config_file(*flags, configuration.is_given);
    exit_code = configured ? run(*flags, configuration) : report(configured.error());
  });
}

}  // namespace hearth::cli
