// One subcommand of `hearth`: registers its flags, runs when it was chosen.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace hearth::cli {

// Sets `exit_code` when its command ran. Each command's file has one such function.
using Register = void (*)(CLI::App& app, int& exit_code);

void register_up(CLI::App& app, int& exit_code);

}  // namespace hearth::cli
