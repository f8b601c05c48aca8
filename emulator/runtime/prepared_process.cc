#include "emulator/runtime/prepared_process.h"

#include <algorithm>
#include <map>
#include <string_view>

#include <unistd.h>

#include "emulator/runtime/instance_channels.h"
#include "emulator/runtime/instance_command.h"
#include "platform/base/json.h"

namespace hearth::runtime {
namespace {

constexpr const char* kPath = "/usr/local/bin:/usr/bin:/bin:/usr/local/go/bin";

// What it starts with: as an image made from config/languages/nodejs would have it.
const std::map<std::string, std::string>& start_environment() {
  static const std::map<std::string, std::string> out{
      {"PATH", kPath}, {"HOME", "/tmp"}, {"LANG", "C.UTF-8"}, {"NODE_PATH", "/app"}};
  return out;
}

// Of node, V8, libuv, OpenSSL, ICU, the C library and its loader.
bool is_read_at_start(std::string_view name) {
  if (name == "NODE_ENV") return false;  // read by libraries, when they are loaded
  constexpr std::string_view kPrefixes[] = {"NODE_", "UV_",     "LD_", "LC_",      "SSL_",
                                            "ICU_",  "MALLOC_", "V8_", "OPENSSL_", "GLIBC_"};
  return std::ranges::any_of(kPrefixes,
                             [&](std::string_view one) { return name.starts_with(one); });
}

bool fits_start_environment(const std::map<std::string, std::string>& environment) {
  const auto& start = start_environment();
  return std::ranges::all_of(start,
                             [&](const auto& variable) {
                               const auto it = environment.find(variable.first);
                               return it != environment.end() && it->second == variable.second;
                             }) &&
         std::ranges::none_of(environment, [&](const auto& variable) {
           return !start.contains(variable.first) && is_read_at_start(variable.first);
         });
}

}  // namespace

bool is_node_wrapper(const InstanceSpec& spec, const ImageRootfs& image) {
  const auto argv = instance_command(spec, image);
  return image.host_backed && image.frames && argv.size() == 2 && argv[0] == "node" &&
         argv[1] == "runtime.js" && image.config.working_dir == "/app";
}

bool can_be_prepared(const InstanceSpec& spec, const ImageRootfs& image) {
  return is_node_wrapper(spec, image) && fits_start_environment(instance_environment(spec, image));
}

Result<PreparedProcess> prepare_process(Zygote& zygote, const Confinement& confinement,
                                        const std::filesystem::path& run_dir, std::string id) {
  HEARTH_TRY(output, make_output_pipe());
  HEARTH_TRY(channels, make_frame_channels(run_dir / (id + ".sock")));
  Json program{{"argv", {find_program("node", kPath), kNodeWrapper}},
               {"env", start_environment()},
               {"rlimits", {{"nofile", 4096}, {"core", 0}}}};
  confinement.add_rlimits(program["rlimits"], 0);
  program["limits"] = confinement.fork_server_limits({.processes = kInstanceTasksMax});
  program["uid"] = kImageUser;
  const Status asked = zygote.prepare(
      id, program,
      {channels.listener.get(), channels.control_of_instance.get(), output.write.get()});
  if (!asked) {
    ::unlink(channels.socket_path.c_str());
    return fail(asked.error());
  }
  return PreparedProcess{std::move(id), std::move(channels.socket_path),
                         std::move(channels.control), std::move(output.read)};
}

}  // namespace hearth::runtime
