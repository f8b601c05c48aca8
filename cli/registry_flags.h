// Flags about images: where builds push, where nodes pull, what builds them and from where.
#pragma once

#include "platform/lambda/build_plan.h"
#include "platform/lambda/render.h"

namespace CLI {
class App;
}

namespace hearth::cli {

void add_registry_flags(CLI::App& command, lambda::BuildSettings& build,
                        lambda::RenderSettings& render);

}  // namespace hearth::cli
