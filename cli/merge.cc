#include "cli/merge.h"

#include "platform/resource/object.h"
#include "platform/resource/patch.h"

namespace hearth::cli {
namespace {

// Kubernetes takes 256 KiB of annotations; the user's own have to fit beside this one.
constexpr std::size_t kLastAppliedBytesMax = 192UL * 1024;
constexpr std::size_t kKeptTextBytesMax = 1024;

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

// The merge asks the annotation only which fields there were: a long text says as much when it is
// empty.
void leave_out_long_texts(Json& value) {
  if (value.is_string() && value.get_ref<const std::string&>().size() > kKeptTextBytesMax) {
    value = "";
  } else if (value.is_structured()) {
    for (Json& item : value) leave_out_long_texts(item);
  }
}

}  // namespace

Json with_last_applied(Json manifest) {
  Json plain = manifest;
  const Json* annotations = base::find(plain, {"metadata", "annotations"});
  if (annotations != nullptr && annotations->is_object()) {
    plain["metadata"]["annotations"].erase(kLastApplied);
  }
  std::string text = base::dump_json(plain) + "\n";
  if (text.size() > kLastAppliedBytesMax) {
    leave_out_long_texts(plain);
    text = base::dump_json(plain) + "\n";
  }
  manifest["metadata"]["annotations"][kLastApplied] = std::move(text);
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
