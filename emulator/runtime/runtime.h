// Instances: one function process each, started from an image, reached over a Unix socket.
//
// A fork-server child (Python wrapper on a host-backed image) or a jailed process (all others that
// speak frames). The socket exists before the process: whoever connects early waits in its backlog,
// so nobody polls for readiness. Lives on one loop.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "emulator/runtime/image_rootfs.h"
#include "emulator/runtime/log_store.h"
#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/base/result.h"

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
};

struct Instance {
  std::string id;
  std::string socket_path;
  std::string image_digest;
  std::string warning;  // what was done other than asked; mostly empty
};

struct InstanceEvent {
  enum class Kind { kReady, kFailed, kTimedOut, kExited };
  Kind kind = Kind::kReady;
  std::string id;
  // kFailed: "ImportError" and the traceback; kExited: the log's tail.
  std::string reason;
  std::string message;
  int exit_code = 0;
};

struct RuntimeOptions {
  std::filesystem::path run_dir;  // short path, mode 0700: sockets and jail roots
  std::filesystem::path log_dir;
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
  LogStore logs_;
  std::shared_ptr<State> state_;
};

}  // namespace hearth::runtime
