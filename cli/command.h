// One subcommand of `hearth`: registers its flags, runs when it was chosen.
#pragma once

#include <string>
#include <vector>

#include "platform/base/result.h"

namespace CLI {
class App;
}

namespace hearth::cli {

// Each command's file has one such function; it sets `exit_code` when its command ran.
void register_apply(CLI::App& app, int& exit_code);
void register_build(CLI::App& app, int& exit_code);
void register_completion(CLI::App& app, int& exit_code);
void register_delete(CLI::App& app, int& exit_code);
void register_deploy(CLI::App& app, int& exit_code);
void register_describe(CLI::App& app, int& exit_code);
void register_dlq(CLI::App& app, int& exit_code);
void register_doctor(CLI::App& app, int& exit_code);
void register_down(CLI::App& app, int& exit_code);
void register_event(CLI::App& app, int& exit_code);
void register_get(CLI::App& app, int& exit_code);
void register_help(CLI::App& app, int& exit_code);
void register_invoke(CLI::App& app, int& exit_code);
void register_kubeconfig(CLI::App& app, int& exit_code);
void register_logs(CLI::App& app, int& exit_code);
void register_s3(CLI::App& app, int& exit_code);
void register_operator(CLI::App& app, int& exit_code);
void register_render(CLI::App& app, int& exit_code);
void register_status(CLI::App& app, int& exit_code);
void register_up(CLI::App& app, int& exit_code);
void register_version(CLI::App& app, int& exit_code);

// `hearth __complete WORDS…`, which the shells run: no flags of its own, so that it may be given
// any.
int complete(std::vector<std::string> words);
// `hearth __clone`, which a daemon or operator starts: clones the repository that is ordered on
// standard input.
int clone();

// Prints the error, when there is one; returns the exit code.
int finish(const Status& status);

}  // namespace hearth::cli
