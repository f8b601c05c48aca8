// The local world: constructs the rooms, connects them, top to bottom; the one place that knows all
// of them.
//
// Loops: "control" owns objects, controllers, broker, registry and the gateway; "objects" serves
// S3, so that a large upload never delays a controller. Writers and workers are threads below them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "platform/base/result.h"

namespace hearth::emulator {

struct EmulatorOptions {
  std::filesystem::path state;
  std::string address = "127.0.0.1";
  std::uint16_t gateway_port = 8080;
  std::uint16_t api_port = 6443;
  std::uint16_t s3_port = 9000;
  std::uint16_t registry_port = 5001;
  std::map<std::string, std::string> s3_credentials;  // access key → secret
  std::string domain = "localhost";
  std::vector<std::string> hosts;             // names that may be asked for, besides the usual
  std::filesystem::path languages;            // overrides; may be empty
  std::filesystem::path caches;               // of package managers; empty: in the state folder
  std::filesystem::path kaniko_executor;      // builds everything when it is named
  bool build_host_credentials = false;        // RUN gets those of package managers
  std::string gcs_endpoint;                   // of gcs sources; empty: Google's own
  std::vector<std::string> controllers{"*"};  // "function", "serving", "jobs", "eventing"; "none"
  bool dev = false;                           // stacks in replies
  bool sandbox = true;
  std::size_t parallel_builds = 2;
};

// Where everything answers.
struct Endpoints {
  std::string gateway;   // http://127.0.0.1:8080
  std::string api;       // https://127.0.0.1:6443
  std::string s3;        // http://127.0.0.1:9000
  std::string registry;  // 127.0.0.1:5001
  std::filesystem::path kubeconfig;
};

class Emulator {
 public:
  // Opens or migrates the state, starts every room. kConflict: another daemon uses the state
  // folder. kAlreadyExists: a port is busy (the message names it). kUnsupported: the state is
  // newer.
  static Result<std::unique_ptr<Emulator>> start(EmulatorOptions options);
  // Stops serving, lets requests and instances end for a while, writes back what waits.
  ~Emulator();

  const Endpoints& endpoints() const;
  // Replaces the keys of the object store, access key to secret. From any thread but the loops'.
  void set_s3_credentials(std::map<std::string, std::string> credentials);

 private:
  struct Rooms;
  explicit Emulator(std::unique_ptr<Rooms> rooms);
  std::unique_ptr<Rooms> rooms_;
};

}  // namespace hearth::emulator
