#include "cli/wait.h"

#include <algorithm>
#include <array>
#include <iostream>
#include <thread>

#include <fmt/format.h>

#include "platform/base/quantity.h"
#include "platform/resource/condition.h"

namespace hearth::cli {
namespace {

using Steady = std::chrono::steady_clock;

// Short enough that nobody notices it, long enough that the daemon doesn't either.
constexpr std::chrono::milliseconds kPollInterval{50};

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
};

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
  return out;
}

Error timed_out(const std::string& what, const std::string& state, const std::string& message,
                std::chrono::nanoseconds timeout) {
  return {Code::kDeadlineExceeded,
          fmt::format("{} is still {} after {}{}", what, state, base::format_go_duration(timeout),
                      message.empty() ? "" : ": " + message),
          {}};
}

}  // namespace

bool becomes_ready(const Kind& kind) {
  const bool ours =
      kind.type.group.ends_with("knative.dev") || kind.type.group.ends_with("knative.io");
  return ours && std::ranges::find(kReadyPlurals, kind.type.plural) != kReadyPlurals.end();
}

Status wait_ready(ApiClient& api, const Kind& kind, const std::string& ns, const std::string& name,
                  std::chrono::nanoseconds timeout) {
  const auto begin = Steady::now();
  const std::string what = kind.singular + "/" + name;
  std::string shown;
  while (true) {
    const auto object = api.get(path_of(kind.type, ns, name));
    if (!object && object.error().code == Code::kNotFound) {
      return fail(Code::kNotFound, what + " was deleted while its readiness was waited for");
    }
    if (!object) return fail(object.error());
    const Readiness state = readiness_of(*object);
    if (state.text != shown) {
      std::cerr << fmt::format("{}: {} ({})\n", what, state.text, seconds_since(begin));
      shown = state.text;
    }
    if (state.ready) return {};
    if (state.failed) {
      return fail(Code::kInternal,
                  fmt::format("{} failed: {}\n  see `hearth describe {} {}` and `hearth build logs "
                              "{}`",
                              what, state.message, kind.singular, name, name));
    }
    if (Steady::now() - begin > timeout) {
      return fail(timed_out(what, state.text, state.message, timeout));
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

Status wait_gone(ApiClient& api, const Kind& kind, const std::string& ns, const std::string& name,
                 std::chrono::nanoseconds timeout) {
  const auto begin = Steady::now();
  while (true) {
    const auto object = api.get(path_of(kind.type, ns, name));
    if (!object && object.error().code == Code::kNotFound) return {};
    if (!object) return fail(object.error());
    if (Steady::now() - begin > timeout) {
      return fail(timed_out(kind.singular + "/" + name, "there", "", timeout));
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

}  // namespace hearth::cli
