#include "cli/function_lookup.h"

#include <fmt/format.h>

#include "platform/resource/well_known.h"

namespace hearth::cli {

std::string bare_name(const std::string& name) {
  const auto slash = name.rfind('/');
  return slash == name.npos ? name : name.substr(slash + 1);
}

Result<Json> find_function(ApiClient& api, const std::string& ns, const std::string& name) {
  auto found = api.get(path_of(resource::kFunctions, ns, name));
  if (found || found.error().code != Code::kNotFound) return found;
  Error error{Code::kNotFound, fmt::format("no function \"{}\" in namespace \"{}\"", name, ns), {}};
  return fail(with_near_miss(std::move(error), api, Kind{.type = resource::kFunctions}, ns, name));
}

}  // namespace hearth::cli
