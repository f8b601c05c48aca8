// The cluster's world: constructs the controllers of the product over a RemoteStore and connects
// them with what a cluster has (object store, broker, registry), the counterpart of
// emulator/emulator.h.
//
// One loop, "control", and a pool for archives and the content of repositories.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "kube-adapter/kubeconfig.h"
#include "kube-adapter/leader_election.h"
#include "platform/lambda/build_plan.h"
#include "platform/lambda/render.h"
#include "platform/lambda/source.h"

namespace hearth::kube_adapter {

struct OperatorOptions {
  ClusterAccess access;
  lambda::BuildSettings build;
  lambda::RenderSettings render;
  std::filesystem::path languages;  // overrides; may be empty
  std::filesystem::path scratch;    // for clones and archives
  // Where sources of type minio are when they name no endpoint, or the reference's MinIO.
  std::string s3_endpoint = "minio.minio.svc.cluster.local:9000";
  lambda::Credentials s3_credentials;
  std::string gcs_endpoint;  // empty: Google's own
  // Where lifecycle events go; empty: nowhere.
  std::string broker_url;
  // Probes (GET /healthz, /readyz) and, when `commands`, command events (POST / and /events).
  std::string address = "127.0.0.1";
  std::uint16_t port = 8081;  // 0: any free one
  bool commands = false;
  std::string command_namespace = "knative-lambda";
  // Given: work only while this lease is ours; `on_lease_lost` is called (on the loop) when it goes
  // to another one, and the process must end soon.
  std::optional<LeaseOptions> lease;
  std::function<void()> on_lease_lost;
};

class Operator {
 public:
  // An API server that doesn't answer yet is no error: the controllers wait for it. kInvalid: the
  // credentials or languages. kAlreadyExists: the port is busy.
  static Result<std::unique_ptr<Operator>> start(OperatorOptions options);
  // Lets the reconciles that run end, then goes.
  ~Operator();

  const std::string& url() const;  // of the probes: http://127.0.0.1:8081

 private:
  struct Rooms;
  explicit Operator(std::unique_ptr<Rooms> rooms);
  std::unique_ptr<Rooms> rooms_;
};

}  // namespace hearth::kube_adapter
