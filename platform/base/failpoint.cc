#include "platform/base/failpoint.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "platform/base/text.h"

namespace hearth::base {
namespace {

constexpr auto kActions = std::to_array<std::pair<std::string_view, FailpointPlan::Action>>({
    {"kill", FailpointPlan::Action::kKill},
    {"torn", FailpointPlan::Action::kTorn},
    {"error", FailpointPlan::Action::kError},
});

// The plan of the process. At a regular end it says what was hit: tests read it there.
struct ProcessPlan {
  ProcessPlan() {
    const char* text = std::getenv("HEARTH_FAILPOINTS");
    asked = text != nullptr;
    if (!asked) return;
    if (const Status parsed = plan.parse(text); !parsed) {
      // A test that names a point wrongly would otherwise pass.
      std::fprintf(stderr, "HEARTH_FAILPOINTS: %s\n", parsed.error().message.c_str());
      std::_Exit(2);
    }
  }
  ~ProcessPlan() {
    for (std::size_t i = 0; asked && i < kFailpoints.size(); ++i) {
      std::fprintf(stderr, "failpoint %s hits %llu\n", kFailpoints[i].data(),
                   static_cast<unsigned long long>(plan.hits(i)));
    }
  }
  ProcessPlan(const ProcessPlan&) = delete;
  ProcessPlan& operator=(const ProcessPlan&) = delete;

  FailpointPlan plan;
  bool asked = false;
};

}  // namespace

Status FailpointPlan::parse(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(';'), text.size());
    if (end > 0) HEARTH_CHECK_OK(parse_step(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

// "NAME=ACTION", "NAME=ACTION@FIRST" or "NAME=ACTION@FIRST-LAST".
Status FailpointPlan::parse_step(std::string_view text) {
  const auto wrong = [text](std::string_view what) {
    return fail(Code::kInvalid, fmt::format("\"{}\": {}", text, what));
  };
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return wrong("a point needs an action");
  const auto name = std::ranges::find(kFailpoints, text.substr(0, equals));
  if (name == kFailpoints.end()) return wrong("there is no such point");
  const std::string_view rest = text.substr(equals + 1);
  const std::size_t at = std::min(rest.find('@'), rest.size());
  const auto action =
      std::ranges::find(kActions, rest.substr(0, at), [](const auto& a) { return a.first; });
  if (action == kActions.end()) return wrong("the action is none of kill, torn, error");
  Step& step = steps_[static_cast<std::size_t>(name - kFailpoints.begin())];
  step.action = action->second;
  step.first = 1;
  step.last = std::numeric_limits<std::uint64_t>::max();
  if (at == rest.size()) return {};
  const std::string_view hits = rest.substr(at + 1);
  const std::size_t dash = hits.find('-');
  const auto first = parse_int<std::uint64_t>(hits.substr(0, dash));
  const auto last =
      dash == std::string_view::npos ? first : parse_int<std::uint64_t>(hits.substr(dash + 1));
  if (!first || !last) return wrong("the hits are no number");
  step.first = *first;
  step.last = *last;
  return {};
}

FailpointPlan::Action FailpointPlan::hit(Failpoint point) {
  Step& step = steps_[point.index()];
  const std::uint64_t number = ++step.hits;
  return number >= step.first && number <= step.last ? step.action : Action::kNone;
}

Status hit_failpoint(Failpoint point, const std::function<void()>& tear) {
  static ProcessPlan process;
  const FailpointPlan::Action action = process.plan.hit(point);
  if (action == FailpointPlan::Action::kNone) return {};
  std::fprintf(stderr, "failpoint %s\n", point.name().data());
  if (action == FailpointPlan::Action::kError) return fail(system_error(EIO, point.name()));
  if (action == FailpointPlan::Action::kTorn) tear();
  ::kill(::getpid(), SIGKILL);
  // The signal may reach another thread first.
  while (true) ::pause();
}

}  // namespace hearth::base
