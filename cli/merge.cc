#include "cli/merge.h"

#include "platform/resource/object.h"
#include "platform/resource/patch.h"

namespace hearth::cli {
namespace {

// Sets null in `patch` for every field of `last` that `now` lacks.
void add_removals(Json& patch, const Json& last, const Json& now) {
  for (const auto& [name, value] : last.items()) {
    const Json* kept = base::find(now, {name});
    if (kept == nullptr) {
      patch[name] = nullptr;
    } else if (value.is_object() && kept->is_object()) {
      add_removals(patch[name], value, *kept);
    }
  }
}

}  // namespace

Json with_last_applied(Json manifest) {
  Json plain = manifest;
  if (Json& metadata = plain["metadata"];
      metadata.is_object() && metadata.contains("annotations")) {
    metadata["annotations"].erase(kLastApplied);
  }
  manifest["metadata"]["annotations"][kLastApplied] = base::dump_json(plain) + "\n";
  return manifest;
}

Json merge_applied(const Json& live, const Json& manifest) {
  Json patch = with_last_applied(manifest);
  const auto last = base::parse_json(resource::annotation_of(live, kLastApplied));
  // Against what is sent, not the manifest: that has annotations always, and kubectl notes an empty
  // map of them where the manifest had none. Others' annotations would go with the map.
  if (last && last->is_object()) add_removals(patch, *last, with_last_applied(manifest));
  // The name and the version of a live object are not the manifest's to remove.
  patch.erase("status");
  return resource::merge_patch(live, patch);
}

}  // namespace hearth::cli
