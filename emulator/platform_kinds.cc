#include "emulator/platform_kinds.h"

#include <algorithm>

#include "platform/base/embedded_files.h"
#include "platform/base/hash.h"
#include "platform/base/text.h"
#include "platform/base/yaml.h"
#include "platform/resource/well_known.h"

namespace hearth::emulator {
namespace {

constexpr std::string_view kFolder = "config/crds/";
constexpr std::string_view kSuffix = ".yaml";

// A file is named GROUP_PLURAL.yaml.
bool is_defined(const resource::DefinitionRegistry& definitions, std::string_view path,
                std::string_view origin) {
  std::string_view name = path.substr(kFolder.size());
  name.remove_suffix(kSuffix.size());
  const auto underscore = name.find('_');
  const auto known = definitions.find(std::string(name.substr(0, underscore)),
                                      std::string(name.substr(underscore + 1)));
  return known && known->origin == origin;
}

// The schema of functions knows the languages that come with the program; a folder of languages
// brings more.
void allow_languages(Json& document, const std::vector<std::string>& languages) {
  if (base::string_at(document, {"spec", "names", "kind"}) != resource::kFunctions.kind) return;
  for (Json& version : document["spec"]["versions"]) {
    Json& allowed = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
                           ["runtime"]["properties"]["language"]["enum"];
    for (const std::string& name : languages) {
      if (std::ranges::find(allowed, Json(name)) == allowed.end()) allowed.push_back(name);
    }
  }
}

Task<Status> define(resource::Store& store, std::string_view manifest,
                    std::vector<std::string> languages, std::string origin) {
  HEARTH_CO_TRY(document, base::parse_yaml(manifest));
  allow_languages(document, languages);
  document["metadata"]["annotations"][resource::kOriginAnnotation] = std::move(origin);
  auto defined = co_await resource::apply(store, resource::kCustomResourceDefinitions, document);
  // One that can't be read is written anew: without its kind nothing would work.
  if (!defined && defined.error().code == Code::kCorrupt) {
    defined = co_await store.create(resource::kCustomResourceDefinitions, std::move(document), {});
  }
  if (!defined) co_return fail(defined.error());
  co_return Status();
}

}  // namespace

Task<Status> define_platform_kinds(resource::Store& store,
                                   const resource::DefinitionRegistry& definitions,
                                   std::vector<std::string> languages) {
  const std::string added = base::join(languages, ",");
  for (const auto& file : base::embedded_files()) {
    if (!file.path.starts_with(kFolder) || !file.path.ends_with(kSuffix)) continue;
    // Reading and comparing all of them takes a third of a start.
    std::string origin = base::sha256_hex(std::string(file.bytes) + added);
    if (is_defined(definitions, file.path, origin)) continue;
    const Status defined = co_await define(store, file.bytes, languages, std::move(origin));
    if (!defined) co_return fail(with_context(defined.error(), std::string(file.path)));
  }
  co_return Status();
}

}  // namespace hearth::emulator
