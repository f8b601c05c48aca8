#include "emulator/registry/image_lookup.h"

#include <string>
#include <vector>

#include "platform/oci/manifest.h"

namespace hearth::registry {
namespace {

// Where an image of that name may be in the embedded registry, whatever host the name carries:
// localhost:5001, kind-registry:5000 and docker.io all mean it.
std::vector<std::string> candidates(const oci::Reference& reference) {
  std::vector<std::string> out = {reference.repository};
  if (reference.repository.starts_with("library/"))
    out.push_back(reference.repository.substr(8));
  else if (!reference.repository.contains('/'))
    out.push_back("library/" + reference.repository);
  if (!reference.registry.empty() && !reference.registry.contains(':')) {
    out.push_back(reference.registry + "/" + reference.repository);  // as a mirror would keep it
  }
  return out;
}

}  // namespace

std::optional<StoredManifest> find_image(Registry& registry, const oci::Reference& reference) {
  for (const std::string& repository : candidates(reference)) {
    auto found = registry.find_manifest(repository, reference.version());
    if (found && oci::is_index_type(found->media_type)) {
      const auto index = oci::parse_index(found->bytes);
      if (!index) continue;
      found = fail(Code::kNotFound, "no image for this machine");
      for (const oci::Descriptor& item : index->manifests) {
        const bool fits =
            !item.platform || (item.platform->os == "linux" &&
                               item.platform->architecture == oci::host_architecture());
        if (fits) found = registry.find_manifest(repository, item.digest.text());
        if (fits && found) break;
      }
    }
    if (found && oci::is_manifest_type(found->media_type)) return *found;
  }
  return std::nullopt;
}

}  // namespace hearth::registry
