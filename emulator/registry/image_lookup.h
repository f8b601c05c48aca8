// Finding an image of the embedded registry by a name as manifests and Dockerfiles write it.
#pragma once

#include <optional>

#include "emulator/registry/registry.h"
#include "platform/oci/reference.h"

namespace hearth::registry {

// The image's manifest for this machine, an index resolved. The name's host is not looked at:
// localhost:5001, kind-registry:5000 and docker.io all mean the embedded registry; "library/" may
// be left out or put in, and a mirror's "docker.io/…" is looked for as well.
std::optional<StoredManifest> find_image(Registry& registry, const oci::Reference& reference);

}  // namespace hearth::registry
