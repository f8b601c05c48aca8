// hearth doctor: what this machine has and lacks, and what to do about it.
#include <algorithm>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "cli/state_location.h"
#include "cli/system_checks.h"
#include "platform/base/failpoint.h"

namespace hearth::cli {
namespace {

struct DoctorFlags {
  Target target;
  std::string output;
  bool failpoints = false;
};

Json to_json(const std::vector<Check>& checks, bool ok) {
  Json items = Json::array();
  for (const Check& check : checks) {
    items.push_back({{"name", check.name},
                     {"verdict", verdict_name(check.verdict)},
                     {"detail", check.detail},
                     {"fix", check.fix}});
  }
  return {{"ok", ok}, {"checks", std::move(items)}};
}

int list_failpoints() {
  for (const std::string_view name : base::kFailpoints) std::cout << name << "\n";
  return kOk;
}

Result<int> run(const DoctorFlags& flags) {
  if (flags.failpoints) return list_failpoints();
  HEARTH_TRY(output, Output::parse(flags.output));
  const auto checks = check_system(flags.target.state_folder());
  const bool ok = std::ranges::none_of(
      checks, [](const Check& check) { return check.verdict == Verdict::kFail; });
  if (!output.is_table()) {
    HEARTH_CHECK_OK(print_value(output, to_json(checks, ok)));
    return ok ? kOk : kFailed;
  }
  for (const Check& check : checks) {
    std::cout << fmt::format("{}  {:<17} {}\n", verdict_name(check.verdict), check.name,
                             check.detail);
    if (!check.fix.empty()) std::cout << fmt::format("      {:<17} → {}\n", "", check.fix);
  }
  return ok ? kOk : kFailed;
}

}  // namespace

void register_doctor(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<DoctorFlags>();
  CLI::App* doctor =
      app.add_subcommand("doctor", "Check this machine; code 1 when something fails");
  add_output_flag(*doctor, flags->output);
  add_state_flag(*doctor, flags->target);
  if constexpr (base::kHasFailpoints) {
    doctor->add_flag("--failpoints", flags->failpoints,
                     "List the points at which this build fails on demand");
  }
  doctor->footer("Example:\n  hearth doctor -o json");
  doctor->callback([flags, &exit_code] {
    const auto code = run(*flags);
    exit_code = code ? *code : report(code.error());
  });
}

}  // namespace hearth::cli
