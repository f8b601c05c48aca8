// Patches: the first byte chooses the format, a line of JSON is the object, the rest the patch. No
// patch throws, and none makes much of little.
#include "platform/base/json.h"
#include "platform/base/limits.h"
#include "platform/resource/patch.h"
#include "tests/fuzz/fuzz.h"

namespace hearth {
namespace {

using fuzz::require;
using resource::PatchType;

void check(PatchType type, const Json& object, const Json& patch) {
  const Json before = object;
  const auto patched = resource::apply_patch(type, object, patch);
  require(object == before, "the object itself stays");
  if (!patched) return fuzz::require_reason(patched.error());
  require(base::depth_of(*patched) <= limits::kJsonDepthMax,
          "a patched object can be parsed again");
  const std::string text = base::dump_json(*patched);
  const std::size_t given = base::dump_json(object).size() + base::dump_json(patch).size();
  // A JSON patch may copy, within the bound of one body.
  const std::size_t copied = type == PatchType::kJson ? limits::kApiBodyBytesMax : 0;
  require(text.size() <= given + copied, "a patch adds no more than it holds");
  if (type != PatchType::kMerge) return;
  const auto again = resource::apply_patch(type, *patched, patch);
  require(again && *again == *patched, "a merge patch applies once");
}

}  // namespace
}  // namespace hearth

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  constexpr PatchType kTypes[] = {PatchType::kJson, PatchType::kMerge, PatchType::kStrategic};
  std::string_view rest = fuzz::view(data, size);
  const PatchType type = kTypes[fuzz::take_choice(rest, std::size(kTypes))];
  const auto object = base::parse_json(fuzz::take_until(rest, '\n'));
  const auto patch = base::parse_json(rest);
  if (object && patch) check(type, *object, *patch);
  return 0;
}
