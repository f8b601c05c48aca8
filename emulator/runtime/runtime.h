// Instances: one function process each, started from an image, reached over a Unix socket.
//
// A fork-server child (Python wrapper on a host-backed image) or a jailed process. Wrappers that
// speak frames get their socket: it exists before the process, whoever connects early waits in its
// backlog, and nobody polls for readiness. All other images listen at a TCP port of their own
// (moved, see platform/process/bind_watch.h) and are probed. Lives on one loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/runtime/image_rootfs.h"
#include "emulator/runtime/log_store.h"
#include "emulator/runtime/readiness_probe.h"
#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/base/result.h"
#include "platform/base/unique_fd.h"

namespace hearth::async {
class BlockingPool;
class Loop;
}  // namespace hearth::async

namespace hearth::runtime {

struct InstanceSpec {
  std::string id;  // unique; names log, socket, host name and Pod
  std::string image;
  std::vector<std::pair<std::string, std::string>> env;  // over the image's own
  std::vector<std::string> command;                      // over the image's entrypoint
  std::vector<std::string> args;                         // over the image's command
  // A limit below the runtime's own footprint is raised to it. 0: unlimited.
  std::uint64_t memory_bytes = 0;
  std::uint64_t cpu_milli = 0;  // its weight against other instances; 0: the kernel's default
  // For images that speak HTTP: where they listen, and when they are ready.
  std::string working_dir;  // over the image's own
  std::uint16_t port = 8080;
  ReadinessProbe probe;
};

struct Instance {
  std::string id;
  std::string socket_path;  // empty: HTTP at the port that kReady names
  std::string image_digest;
  std::string warning;  // what was done other than asked; mostly empty
  std::string host;
  std::uint16_t port = 0;
};

struct InstanceEvent {
  enum class Kind { kReady, kFailed, kTimedOut, kExited };
  Kind kind = Kind::kReady;
  std::string id;
  // kFailed: "ImportError" and the traceback; kExited: "ExitCode1", or what else ended it.
  std::string reason;
  std::string message;
  bool said_why = false;   // kExited: kFailed came before
  std::string last_lines;  // kExited, else: how its log ends
  int exit_code = 0;       // 128 and the number of the signal that ended it
  // kReady of an instance that speaks HTTP. Comes again when it moves.
  std::uint16_t port = 0;
  std::string host;
};

struct RuntimeOptions {
  std::filesystem::path run_dir;  // short path, mode 0700: sockets and jail roots
  std::filesystem::path log_dir;
  std::filesystem::path scratch;  // what instances write; emptied at start
  // Shown to instances as /etc/hosts; may change while they run.
  std::filesystem::path hosts_file;
  std::string python = "/usr/bin/python3";
  bool sandbox = true;
};

class Runtime {
 public:
  using EventHandler = std::function<void(const InstanceEvent&)>;

  Runtime(async::Loop& loop, ImageStore& images, const base::Clock& clock, RuntimeOptions options);
  ~Runtime();

  // Before the first start. Called on the loop.
  void on_event(EventHandler handler);
  // The image by its digest, as ImageStore::resolve().
  Result<std::string> resolve_image(std::string_view image) const;
  // Returns once the process is on its way; kReady or kFailed follows as an event, kExited is the
  // last event of an instance. Errors: the image, its protocol, the system's limits.
  Task<Result<Instance>> start(InstanceSpec spec);
  // SIGTERM now, SIGKILL after `grace`. Unknown ids are ignored.
  void stop(const std::string& id, std::chrono::milliseconds grace);
  // Ends all instances, waits for them.
  Task<void> shutdown();

  LogStore& logs() { return logs_; }
  std::size_t running() const;
  // What the kernel withholds on this machine; empty until an instance was started.
  std::vector<std::string> degraded() const;

 private:
  struct State;
  Result<Instance> start_with_frames(InstanceSpec spec, const ImageRootfs& image,
                                     base::UniqueFd output, base::UniqueFd output_write);
  Result<Instance> start_with_http(InstanceSpec spec, const ImageRootfs& image,
                                   base::UniqueFd output, base::UniqueFd output_write);
  LogStore logs_;
  std::shared_ptr<State> state_;
};

}  // namespace hearth::runtime
