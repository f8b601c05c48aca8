#include "cli/registry_flags.h"

#include <CLI/CLI.hpp>

namespace hearth::cli {

void add_registry_flags(CLI::App& command, lambda::BuildSettings& build,
                        lambda::RenderSettings& render) {
  command.add_option("--push-registry", build.push_registry, "Registry that builds push to")
      ->envname("BUILD_DEFAULT_REGISTRY")
      ->capture_default_str();
  const CLI::Option* pull =
      command
          .add_option("--pull-registry", build.pull_registry,
                      "The same registry as nodes see it; default: --push-registry")
          ->envname("BUILD_PULL_REGISTRY");
  command.parse_complete_callback([pull, &build] {
    if (pull->count() == 0) build.pull_registry = build.push_registry;
  });
  command.add_option("--base-registry", build.base_registry,
                     "Registry of the base images; default: as the language says");
  command.add_option("--kaniko-image", render.kaniko_image, "Image that builds images")
      ->envname("BUILD_KANIKO_IMAGE")
      ->capture_default_str();
  command.add_option("--init-image", render.init_image, "Image that unpacks the build context")
      ->envname("BUILD_ALPINE_INIT_IMAGE")
      ->capture_default_str();
  command
      .add_option("--context-bucket", render.context_bucket,
                  "Bucket of build contexts that no ConfigMap can hold")
      ->capture_default_str();
  command
      .add_option("--context-endpoint", render.context_endpoint,
                  "The object store as builds see it")
      ->type_name("URL")
      ->capture_default_str();
  command
      .add_option("--context-secret", render.context_secret,
                  "Secret with its keys, in the function's namespace")
      ->type_name("NAME")
      ->capture_default_str();
  command.add_flag("--insecure-registry,!--secure-registry", render.insecure_registry,
                   "Let builds push without TLS checks (on); --secure-registry: with them");
}

}  // namespace hearth::cli
