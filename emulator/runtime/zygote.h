// The host's side of the fork server (zygote.py): starts it once, asks for forks, hears of exits.
// A fork is an instance of a Python function, or executes a program; programs can be started ahead,
// too. Lives on one loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "platform/async/task.h"
#include "platform/base/json.h"
#include "platform/base/unique_fd.h"
#include "platform/process/cgroup.h"
#include "platform/process/spawn.h"

namespace hearth::async {
class Loop;
class TaskGroup;
}  // namespace hearth::async

namespace hearth::runtime {

class Confinement;

// Where programs started by Zygote::prepare find the wrapper of Node.js.
inline constexpr const char* kNodeWrapper = "/hearth/runtime.js";

struct ZygoteOptions {
  std::string python;       // path of the interpreter
  std::string jail_root;    // an empty folder
  std::string images_root;  // shown as /images
  std::string hosts_file;   // shown as /etc/hosts
  std::string scratch;      // for the scripts when there is no jail
  const Confinement& confinement;
  bool sandbox = true;
};

class Zygote {
 public:
  using ExitHandler = std::function<void(const std::string& id, int code, bool out_of_memory)>;

  Zygote(async::Loop& loop, async::TaskGroup& tasks, ZygoteOptions options, ExitHandler on_exit);
  ~Zygote();

  // Starts the process. kNotFound: no interpreter.
  Status start();
  bool running() const;
  bool sandboxed() const;
  // Whether it runs, and its children may execute programs: they are in a jail of which this
  // machine withholds nothing.
  bool executes_programs() const;
  // Whether it came as far as to try what this machine offers.
  bool probed() const;
  // Asks for one instance; the descriptors are listen, control, stdout, stderr. `order`
  // (fork_order.h) is seen by the child only. Errors of the fork come as an exit with code 127.
  Status fork(const std::string& id, const Json& order, const process::CgroupLimits& limits,
              std::vector<int> fds);
  // Starts `argv` ahead, confined and without a function; the descriptors are listen, control and
  // output. It waits for its order on the descriptor that HEARTH_ORDER_FD names.
  Status prepare(const std::string& id, const Json& program, const std::vector<int>& fds);
  // Makes the prepared program the instance `id`: shows it `app`, then passes `order` on. On an
  // error that comes later the instance exits with code 127.
  Status hand_over(const std::string& prepared, const std::string& id, const Json& order,
                   const process::CgroupLimits& limits);
  void kill(const std::string& id, int signal);
  // Mechanisms that this machine withholds, as the fork server found.
  const std::vector<std::string>& degraded() const;
  pid_t pid() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  async::TaskGroup& tasks_;
};

}  // namespace hearth::runtime
