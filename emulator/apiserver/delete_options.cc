#include "emulator/apiserver/delete_options.h"

#include "platform/base/text.h"

namespace hearth::apiserver {

using resource::DeleteOptions;

Result<DeleteOptions> delete_options(const Json& body, const Query& query) {
  DeleteOptions options;
  std::string propagation = base::string_at(body, {"propagationPolicy"});
  if (query.has("propagationPolicy")) propagation = query.get("propagationPolicy");
  if (propagation == "Foreground")
    options.propagation = DeleteOptions::Propagation::kForeground;
  else if (propagation == "Orphan")
    options.propagation = DeleteOptions::Propagation::kOrphan;
  else if (!propagation.empty() && propagation != "Background") {
    return fail(Code::kInvalid, "propagationPolicy: Unsupported value: \"" + propagation + "\"");
  }
  options.uid = base::string_at(body, {"preconditions", "uid"});
  const std::string version = base::string_at(body, {"preconditions", "resourceVersion"});
  if (!version.empty()) {
    options.resource_version = base::parse_int<std::uint64_t>(version).value_or(~0ULL);
  }
  options.dry_run = query.has("dryRun") || base::find(body, {"dryRun"}) != nullptr;
  return options;
}

}  // namespace hearth::apiserver
