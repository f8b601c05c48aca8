#include "cli/wait.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <iostream>
#include <thread>

#include <fmt/format.h>

#include "platform/base/printable.h"
#include "platform/base/quantity.h"
#include "platform/base/text.h"
#include "platform/resource/condition.h"

namespace hearth::cli {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kWatchesAtOnceMax = 16;

constexpr std::array<std::string_view, 8> kReadyPlurals{
    "lambdafunctions", "lambdaagents", "services",       "routes",
    "brokers",         "triggers",     "cronjobsources", "pingsources"};

std::string seconds_since(Steady::time_point begin) {
  const std::chrono::duration<double> spent = Steady::now() - begin;
  return fmt::format("{:.1f}s", spent.count());
}

struct Readiness {
  bool ready = false;
  bool failed = false;
  std::string text;     // "Building", "NotReady: MissingRevision"
  std::string message;  // of the condition
  std::string cause;    // the condition it stands on, when that says more: "BuildReady: …"
  std::string lacks;    // why it is Pending
};

// The first step of a function that went wrong; empty when `message` tells it already.
std::string cause_of(const Json& object, const std::string& message) {
  std::string out;
  for (const char* step : {"SourceReady", "EventingReady", "BuildReady", "DeployReady"}) {
    const resource::Condition condition = resource::condition_of(object, step);
    if (condition.status != "False" || condition.message.empty()) continue;
    if (condition.message == message) return {};
    if (out.empty()) out = fmt::format("{}: {}", step, condition.message);
  }
  return out;
}

Readiness readiness_of(const Json& object) {
  const resource::Condition ready = resource::condition_of(object, "Ready");
  const std::string phase = base::string_at(object, {"status", "phase"});
  const auto observed = base::int_at(object, {"status", "observedGeneration"});
  const bool current = !observed || *observed >= resource::generation_of(object);
  Readiness out{.message = ready.message};
  out.ready = current && ready.status == "True" && (phase.empty() || phase == "Ready");
  out.failed = current && phase == "Failed";
  out.text = !phase.empty() ? phase : out.ready ? "Ready" : ready.reason;
  if (out.text.empty()) out.text = "Pending";
  if (out.failed) out.cause = cause_of(object, ready.message);
  if (current && phase == "Pending") out.lacks = ready.message;
  return out;
}

Error failed(const Awaited& awaited, const Readiness& state) {
  const std::string cause =
      state.cause.empty() ? "" : "\n  " + base::replace_all(state.cause, "\n", "\n  ");
  return {Code::kInternal,
          fmt::format("{} failed: {}{}\n  see `hearth describe {} {}` and `hearth build logs {}`",
                      awaited.text(), state.message, cause, awaited.kind.singular, awaited.name,
                      awaited.name),
          {}};
}

Error timed_out(const std::string& what, const std::string& state, const std::string& message,
                std::chrono::nanoseconds timeout) {
  return {Code::kDeadlineExceeded,
          fmt::format("{} is still {} after {}{}", what, state, base::format_go_duration(timeout),
                      message.empty() ? "" : ": " + message),
          {}};
}

std::string target_of(const Awaited& awaited, const std::string& resource_version) {
  return path_of(awaited.kind.type, awaited.ns) +
         query_of({{"fieldSelector", "metadata.name=" + awaited.name},
                   {"watch", resource_version.empty() ? "" : "true"},
                   {"resourceVersion", resource_version}});
}

// One change of the object after `version`, which moves on with it. False: none came, because the
// server ended the watch or has forgotten that version; then the object has to be read again.
Result<bool> next_change(ApiClient& api, const Awaited& awaited, Steady::duration left,
                         std::string& version, Json& object) {
  bool changed = false;
  const auto on_line = [&](std::string_view line) {
    const auto event = base::parse_json(line);
    const std::string type = event ? base::string_at(*event, {"type"}) : "ERROR";
    if (type == "BOOKMARK") return true;
    if (type == "ERROR") return false;
    // A watch that begins in the past may tell that others don't match: as DELETED.
    if (base::string_at(*event, {"object", "metadata", "name"}) != awaited.name) return true;
    version = base::string_at(*event, {"object", "metadata", "resourceVersion"});
    object = type == "DELETED" ? Json() : (*event)["object"];
    changed = true;
    return false;
  };
  // The rest of the time, not a whole silence more: each change begins a watch of its own.
  HEARTH_CHECK_OK(api.stream(target_of(awaited, version), kAcceptJson, on_line,
                             std::chrono::ceil<std::chrono::milliseconds>(left)));
  return changed;
}

}  // namespace

Status watch_object(ApiClient& api, const Awaited& awaited, std::chrono::nanoseconds timeout,
                    const std::function<Result<bool>(const Json*)>& is_done) {
  const auto deadline = Steady::now() + timeout;
  while (true) {
    HEARTH_TRY(list, api.get(target_of(awaited, "")));
    std::string version = base::string_at(list, {"metadata", "resourceVersion"});
    Json object = list["items"].empty() ? Json() : list["items"][0];
    bool changed = true;
    while (changed) {
      HEARTH_TRY(done, is_done(object.is_null() ? nullptr : &object));
      if (done) return {};
      const auto left = deadline - Steady::now();
      if (left.count() <= 0) return fail(Code::kDeadlineExceeded, "");
      HEARTH_TRY(more, next_change(api, awaited, left, version, object));
      changed = more;
    }
  }
}

bool becomes_ready(const Kind& kind) {
  const bool ours =
      kind.type.group.ends_with("knative.dev") || kind.type.group.ends_with("knative.io");
  return ours && std::ranges::find(kReadyPlurals, kind.type.plural) != kReadyPlurals.end();
}

Status wait_ready(ApiClient& api, const Awaited& awaited, std::chrono::nanoseconds timeout) {
  const auto begin = Steady::now();
  const std::string what = awaited.text();
  Readiness state;
  std::string shown;
  std::string lack_shown;
  const auto is_done = [&](const Json* object) -> Result<bool> {
    if (object == nullptr) {
      return fail(Code::kNotFound, what + " was deleted while its readiness was waited for");
    }
    state = readiness_of(*object);
    if (state.text != shown) {
      std::cerr << fmt::format("{}: {} ({})\n", what, base::printable(state.text),
                               seconds_since(begin));
      shown = state.text;
    }
    if (!state.lacks.empty() && state.lacks != lack_shown) {
      std::cerr << fmt::format("{}: {}\n", what, base::printable_lines(state.lacks));
      lack_shown = state.lacks;
    }
    if (state.failed) return fail(failed(awaited, state));
    return state.ready;
  };
  const Status waited = watch_object(api, awaited, timeout, is_done);
  if (waited || waited.error().code != Code::kDeadlineExceeded) return waited;
  return fail(timed_out(what, state.text, state.message, timeout));
}

std::vector<Status> wait_all_ready(const Daemon& daemon, const std::vector<Awaited>& awaited,
                                   std::chrono::nanoseconds timeout) {
  std::vector<Status> outcomes(awaited.size());
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    ApiClient api(daemon);
    for (std::size_t i = next++; i < awaited.size(); i = next++) {
      outcomes[i] = wait_ready(api, awaited[i], timeout);
    }
  };
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < std::min(awaited.size(), kWatchesAtOnceMax); ++i) {
    threads.emplace_back(work);
  }
  work();
  threads.clear();
  return outcomes;
}

Status wait_gone(ApiClient& api, const Awaited& awaited, std::chrono::nanoseconds timeout) {
  const Status waited = watch_object(
      api, awaited, timeout, [](const Json* object) -> Result<bool> { return object == nullptr; });
  if (waited || waited.error().code != Code::kDeadlineExceeded) return waited;
  return fail(timed_out(awaited.text(), "there", "", timeout));
}

}  // namespace hearth::cli
