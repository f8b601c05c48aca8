#include "cli/pod_logs.h"

#include <iostream>
#include <mutex>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "cli/standard_output.h"
#include "platform/resource/well_known.h"

namespace hearth::cli {
namespace {

std::string log_target(const PodLogOptions& options, const std::string& pod, bool follow) {
  return path_of(resource::kPods, options.ns, pod) + "/log" +
         query_of({{"container", options.container},
                   {"tailLines", options.tail},
                   {"sinceSeconds", options.since_seconds},
                   {"timestamps", options.timestamps ? "true" : ""},
                   {"follow", follow ? "true" : ""}});
}

// Lines of several pods must not mix. False: nobody will ever see another one.
bool print_line(const std::string& prefix, std::string_view line) {
  static std::mutex mutex;
  const std::scoped_lock lock(mutex);
  std::cout << prefix << for_standard_output(line) << "\n";
  std::cout.flush();
  return std::cout.good();
}

Status stream_pod(ApiClient& api, const PodLogOptions& options, const std::string& pod,
                  bool follow) {
  const std::string prefix = options.prefix ? fmt::format("[{}] ", pod) : "";
  return api.stream(log_target(options, pod, follow), "*/*",
                    [&](std::string_view line) { return print_line(prefix, line); });
}

}  // namespace

Result<std::size_t> print_pod_logs(ApiClient& api, const PodLogOptions& given) {
  PodLogOptions options = given;
  HEARTH_TRY(list, api.get(path_of(resource::kPods, options.ns) +
                           query_of({{"labelSelector", options.selector}})));
  const Json& pods = list["items"];
  if (pods.size() > 1) options.prefix = true;
  for (const Json& pod : pods) {
    const Status printed = stream_pod(api, options, resource::name_of(pod), false);
    // Gone between the list and now.
    if (!printed && printed.error().code != Code::kNotFound) return fail(printed.error());
  }
  return pods.size();
}

Status follow_pod_logs(const Daemon& daemon, PodLogOptions options, bool until_all_ended) {
  ApiClient api(daemon);
  const std::string target = path_of(resource::kPods, options.ns);
  HEARTH_TRY(list, api.get(target + query_of({{"labelSelector", options.selector}})));
  const Json& pods = list["items"];
  if (pods.size() > 1) options.prefix = true;
  std::vector<std::jthread> streams;
  std::set<std::string> followed;
  const auto follow = [&](const std::string& pod) {
    if (!followed.insert(pod).second) return;
    streams.emplace_back([&daemon, pod, options] {
      ApiClient own(daemon);
      // An instance that goes ends its stream with an error; the others are followed on.
      (void)stream_pod(own, options, pod, true);
    });
  };
  for (const Json& pod : pods) follow(resource::name_of(pod));
  if (until_all_ended) return {};
  // Later instances are followed from their first line.
  options.tail.clear();
  options.since_seconds.clear();
  if (!options.prefix) options.prefix = !followed.empty();
  const std::string watch =
      query_of({{"labelSelector", options.selector},
                {"watch", "true"},
                {"resourceVersion", base::string_at(list, {"metadata", "resourceVersion"})}});
  return api.stream(target + watch, kAcceptJson, [&](std::string_view line) {
    const auto event = base::parse_json(line);
    const std::string type = event ? base::string_at(*event, {"type"}) : "";
    // Pending: its log begins with Running.
    if ((type == "ADDED" || type == "MODIFIED") &&
        base::string_at(*event, {"object", "status", "phase"}) != "Pending") {
      follow(resource::name_of((*event)["object"]));
    }
    return std::cout.good();
  });
}

}  // namespace hearth::cli
