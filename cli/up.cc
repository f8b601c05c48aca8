// hearth up: the daemon in the foreground.
#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "emulator/emulator.h"
#include "platform/base/file.h"
#include "platform/base/json.h"
#include "platform/base/random_id.h"
#include "platform/telemetry/log.h"

namespace hearth::cli {
namespace {

struct UpFlags {
  std::string state;
  std::string listen = "127.0.0.1";
  int port = -1;
  int api_port = -1;
  int s3_port = -1;
  int registry_port = -1;
  bool ephemeral = false;
  bool dev = false;
  bool no_sandbox = false;
  std::string config;
  std::string ready_file;
  std::string controllers = "*";
  std::string s3_access_key = "hearth";
  std::string s3_secret_key = "hearth-secret";
  std::string log_format = "auto";
  std::string log_level = "info";
};

std::filesystem::path default_state() {
  if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data != '\0') {
    return std::filesystem::path(data) / "hearth";
  }
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home != nullptr ? home : ".") / ".local/share/hearth";
}

std::uint16_t port_or(int given, int base_port, std::uint16_t standard) {
  if (given >= 0) return static_cast<std::uint16_t>(given);
  // `--port 0` asks for free ports everywhere.
  return base_port == 0 ? 0 : standard;
}

Status write_ready_file(const std::string& path, const UpFlags& flags,
                        const std::filesystem::path& state, const emulator::Endpoints& endpoints) {
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

void print_endpoints(const emulator::Endpoints& endpoints) {
  std::cerr << fmt::format(
      "hearth is up\n"
      "  functions   http://NAME.NAMESPACE.localhost{}\n"
      "  events      {}/NAMESPACE/BROKER\n"
      "  kubernetes  export KUBECONFIG={}\n"
      "  s3          {}\n"
      "  registry    {}\n",
      endpoints.gateway.substr(endpoints.gateway.rfind(':')), endpoints.gateway,
      endpoints.kubeconfig.string(), endpoints.s3, endpoints.registry);
}

// Blocks the stop signals for all threads that are started later, so that one place waits for them.
sigset_t block_stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return set;
}

int run(const UpFlags& flags) {
  telemetry::configure_log(
      {.level = flags.log_level == "debug"  ? telemetry::Level::kDebug
                : flags.log_level == "warn" ? telemetry::Level::kWarn
                : flags.log_level == "error" ? telemetry::Level::kError
                                             : telemetry::Level::kInfo,
       .format = flags.log_format == "json"   ? telemetry::LogFormat::kJson
                 : flags.log_format == "text" ? telemetry::LogFormat::kText
                                              : telemetry::LogFormat::kAuto});
  const sigset_t stop_signals = block_stop_signals();
  std::filesystem::path state = flags.state.empty() ? default_state() : std::filesystem::path(flags.state);
  if (flags.ephemeral) {
    state = std::filesystem::temp_directory_path() / ("hearth-" + base::random_hex(6));
  }
  emulator::EmulatorOptions options;
  options.state = state;
  options.address = flags.listen;
  options.gateway_port = port_or(flags.port, flags.port, 8080);
  options.api_port = port_or(flags.api_port, flags.port, 6443);
  options.s3_port = port_or(flags.s3_port, flags.port, 9000);
  options.registry_port = port_or(flags.registry_port, flags.port, 5001);
  options.s3_credentials = {{flags.s3_access_key, flags.s3_secret_key}};
  options.dev = flags.dev;
  options.sandbox = !flags.no_sandbox;
  options.controllers.clear();
  std::stringstream names(flags.controllers);
  for (std::string name; std::getline(names, name, ',');) options.controllers.push_back(name);
  int code = kOk;
  {
    auto started = emulator::Emulator::start(std::move(options));
    if (!started) {
      code = report(started.error());
    } else {
      if (!flags.ready_file.empty()) {
        const Status written =
            write_ready_file(flags.ready_file, flags, std::filesystem::absolute(state),
                             (*started)->endpoints());
        if (!written) return report(written.error());
      }
      print_endpoints((*started)->endpoints());
      int number = 0;
      sigwait(&stop_signals, &number);
    }
  }
  if (flags.ephemeral) {
    std::error_code ignored;
    std::filesystem::remove_all(state, ignored);
  }
  return code;
}

}  // namespace

void register_up(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<UpFlags>();
  CLI::App* up = app.add_subcommand("up", "Start the platform in the foreground");
  up->add_option("--state", flags->state, "State folder")->envname("HEARTH_STATE");
  up->add_option("--listen", flags->listen, "Address to listen at")->envname("HEARTH_LISTEN");
  up->add_option("--port", flags->port, "Gateway port; 0: free ports for everything")
      ->envname("HEARTH_PORT");
  up->add_option("--api-port", flags->api_port, "Kubernetes API port")->envname("HEARTH_API_PORT");
  up->add_option("--s3-port", flags->s3_port, "Object store port")->envname("HEARTH_S3_PORT");
  up->add_option("--registry-port", flags->registry_port, "Registry port")
      ->envname("HEARTH_REGISTRY_PORT");
  up->add_flag("--ephemeral", flags->ephemeral, "Throw the state away at the end");
  up->add_flag("--dev", flags->dev, "Show stack traces in replies")->envname("HEARTH_DEV");
  up->add_flag("--no-sandbox", flags->no_sandbox, "Run functions without namespaces");
  up->add_option("--ready-file", flags->ready_file, "Write this JSON file once everything answers");
  up->add_option("--controllers", flags->controllers,
                 "Controllers to run: *, none, or a list of function,serving,jobs,eventing")
      ->envname("HEARTH_CONTROLLERS");
  up->add_option("--s3-access-key", flags->s3_access_key, "Access key of the object store")
      ->envname("HEARTH_S3_ACCESS_KEY");
  up->add_option("--s3-secret-key", flags->s3_secret_key, "Secret key of the object store")
      ->envname("HEARTH_S3_SECRET_KEY");
  up->add_option("--log-format", flags->log_format, "auto, json or text")
      ->check(CLI::IsMember({"auto", "json", "text"}))->envname("HEARTH_LOG_FORMAT");
  up->add_option("--log-level", flags->log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))->envname("HEARTH_LOG_LEVEL");
  up->callback([flags, &exit_code] { exit_code = run(*flags); });
}

}  // namespace hearth::cli
