// hearth operator: the controllers of the platform, working on a cluster.
#include "kube-adapter/operator.h"

#include <atomic>
#include <filesystem>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/flag_values.h"
#include "cli/registry_flags.h"
#include "cli/scratch_folder.h"
#include "cli/server_process.h"
#include "cli/standard_output.h"
#include "platform/base/file.h"
#include "platform/base/random_id.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

struct OperatorFlags {
  kube_adapter::KubeconfigChoice kubeconfig;
  kube_adapter::OperatorOptions options;
  bool no_events = false;
  bool leader_elect = false;
  std::string lease_namespace;
  std::string ready_file;
  std::string log_level = "info";
  std::string log_format = "auto";
};

// Where the reference's broker is reached from within its cluster.
constexpr const char* kBrokerUrl =
    "http://knative-lambda-broker-broker-ingress.knative-lambda.svc.cluster.local";

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

// One lease for all operators of a cluster, the reference's own among them.
kube_adapter::LeaseOptions lease_of(const OperatorFlags& flags,
                                    const kube_adapter::ClusterAccess& access) {
  kube_adapter::LeaseOptions lease;
  lease.identity = fmt::format("{}_{}", host_name(), base::random_uuid());
  if (!flags.lease_namespace.empty())
    lease.key.ns = flags.lease_namespace;
  else if (access.context == kube_adapter::kInClusterContext)
    lease.key.ns = access.ns;
  return lease;
}

Status serve(const OperatorFlags& flags, const sigset_t& stop_signals) {
  HEARTH_TRY(access, kube_adapter::load_cluster_access(flags.kubeconfig));
  kube_adapter::OperatorOptions options = flags.options;
  options.access = std::move(access);
  if (flags.no_events) options.broker_url.clear();
  if (flags.leader_elect) options.lease = lease_of(flags, options.access);
  std::atomic<bool> lost = false;
  options.on_lease_lost = [&lost] {
    lost = true;
    ::kill(::getpid(), SIGTERM);
  };
  const std::string context = options.access.context;
  const std::string server = options.access.server.authority();
  HEARTH_TRY(running, kube_adapter::Operator::start(std::move(options)));
  if (!flags.ready_file.empty()) {
    HEARTH_CHECK_OK(base::write_file_atomically(
        flags.ready_file, base::dump_json_pretty({{"url", running->url()}}) + "\n", 0600));
  }
  std::cerr << fmt::format("the operator works on {} (context \"{}\"); probes at {}/readyz\n",
                           server, context, running->url());
  int number = 0;
  sigwait(&stop_signals, &number);
  if (lost) return fail(Code::kInternal, "the lease was lost: another operator may lead now");
  return {};
}

Status run(const OperatorFlags& flags) {
  outlive_reader();
  configure_log(flags.log_level, flags.log_format);
  const sigset_t stop_signals = block_stop_signals();
  HEARTH_CHECK_OK(check_url("--gcs-endpoint", flags.options.gcs_endpoint));
  HEARTH_TRY(scratch, ScratchFolder::make(fs::temp_directory_path(), "hearth-operator-"));
  OperatorFlags own = flags;
  own.options.scratch = scratch.path();
  return serve(own, stop_signals);
}

void add_cluster_flags(CLI::App& command, OperatorFlags& flags) {
  command
      .add_option("--kubeconfig", flags.kubeconfig.file,
                  "Kubeconfig; default: $KUBECONFIG, ~/.kube/config, then the pod's account")
      ->type_name("FILE");
  command
      .add_option("--context", flags.kubeconfig.context,
                  "Context of the kubeconfig; default: its current one")
      ->type_name("NAME");
  command.add_option("--listen", flags.options.address, "Address of the probes")
      ->envname("HEARTH_LISTEN")
      ->capture_default_str();
  command.add_option("--port", flags.options.port, "Port of the probes; 0: any free one")
      ->check(CLI::Range(0, 65535))
      ->type_name("PORT")
      ->capture_default_str();
  command.add_flag("--leader-elect", flags.leader_elect,
                   "Work only while the lease lambdafunction.lambda.knative.io is ours");
  command
      .add_option("--lease-namespace", flags.lease_namespace,
                  "Its namespace; default: the pod's own, else knative-lambda")
      ->type_name("NS");
  command.add_option("--ready-file", flags.ready_file, "Write {\"url\": …} there once it listens")
      ->type_name("FILE");
}

void add_platform_flags(CLI::App& command, OperatorFlags& flags) {
  kube_adapter::OperatorOptions& options = flags.options;
  add_registry_flags(command, options.build, options.render);
  command
      .add_option("--s3-endpoint", options.s3_endpoint,
                  "Object store of sources that name none: host:port or URL")
      ->envname("HEARTH_S3_ENDPOINT")
      ->capture_default_str();
  command
      .add_option("--s3-access-key", options.s3_credentials.access_key,
                  "Its access key, for sources without a Secret")
      ->envname("HEARTH_S3_ACCESS_KEY");
  command.add_option("--s3-secret-key", options.s3_credentials.secret_key, "Its secret key")
      ->envname("HEARTH_S3_SECRET_KEY");
  command
      .add_option("--gcs-endpoint", options.gcs_endpoint,
                  "Where gcs sources are read from; https://storage.googleapis.com unless set")
      ->envname("HEARTH_GCS_ENDPOINT")
      ->type_name("URL");
  options.broker_url = kBrokerUrl;
  command.add_option("--broker-url", options.broker_url, "Where lifecycle events are posted")
      ->envname("BROKER_URL")
      ->type_name("URL")
      ->capture_default_str();
  command.add_flag("--no-events", flags.no_events, "Send no lifecycle events");
  command.add_flag("--commands", options.commands,
                   "Take command events (POST / and /events) at the probes' port; it asks nobody "
                   "for a password");
  command
      .add_option("--default-namespace", options.command_namespace,
                  "Namespace of commands that name none")
      ->capture_default_str();
  command
      .add_option("--languages", options.languages,
                  "Folder of languages that add to the built-in ones")
      ->envname("HEARTH_LANGUAGES")
      ->type_name("DIR");
  add_log_flags(command, flags.log_level, flags.log_format);
}

}  // namespace

void register_operator(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<OperatorFlags>();
  CLI::App* command = app.add_subcommand("operator", "Run the controllers against a cluster");
  add_cluster_flags(*command, *flags);
  add_platform_flags(*command, *flags);
  command->footer(
      "Examples:\n"
      "  hearth operator --context kind-dev --push-registry kind-registry:5000 "
      "--pull-registry localhost:5001\n"
      "  hearth operator --kubeconfig /etc/hearth/kubeconfig --listen 0.0.0.0 --commands");
  command->callback([flags, &exit_code] { exit_code = finish(run(*flags)); });
}

}  // namespace hearth::cli
