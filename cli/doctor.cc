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

namespace hearth::cli {
namespace {

struct DoctorFlags {
  Target target;
  std::string output;
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

Result<int> run(const DoctorFlags& flags) {
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
  doctor->footer("Example:\n  hearth doctor -o json");
  doctor->callback([flags, &exit_code] {
    const auto code = run(*flags);
    exit_code = code ? *code : report(code.error());
  });
}

}  // namespace hearth::cli
