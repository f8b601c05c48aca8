#include "platform/lambda/build_plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/base/hash.h"
#include "platform/base/json.h"
#include "platform/base/limits.h"
#include "platform/oci/layer_writer.h"
#include "platform/oci/path_bounds.h"

namespace hearth::lambda {
namespace {

constexpr std::size_t kTagHashLength = 12;  // as the reference

// The names under which the reference documents inline dependencies; JSON for Node may be the bare
// dependencies object.
std::string dependency_text(const Language& language, const std::string& text) {
  if (language.dependency_manifest != "package.json") return text;
  auto json = base::parse_json(text);
  if (!json || !json->is_object() || json->contains("dependencies")) return text;
  return base::dump_json_pretty({{"name", "function"}, {"private", true}, {"dependencies", *json}});
}

// Files, and the folders that their paths imply: sorted as they are, those that share a folder
// stand together.
std::size_t count_entries(const SourceTree& tree) {
  std::size_t out = tree.size();
  std::string_view last;
  for (const auto& [path, content] : tree) {
    const auto differs = std::ranges::mismatch(last, path).in2;
    out += static_cast<std::size_t>(std::count(differs, path.end(), '/'));
    last = path;
  }
  return out;
}

Status check_bounds(const SourceTree& tree) {
  std::size_t bytes = 0;
  for (const auto& [path, content] : tree) {
    HEARTH_CHECK_OK(oci::check_path(path));
    bytes += content.size();
  }
  const std::size_t entries = count_entries(tree);
  if (entries > limits::kContextFilesMax || bytes > limits::kContextBytesMax) {
    return fail(Code::kTooLarge,
                fmt::format("the source has {} files and folders and {} bytes; the limits are {} "
                            "and {}",
                            entries, bytes, limits::kContextFilesMax, limits::kContextBytesMax));
  }
  return {};
}

std::string image_name(const std::string& reference, const BuildSettings& settings,
                       const std::string& version) {
  std::string image = reference;
  if (const auto at = image.find("{{version}}"); at != std::string::npos) {
    image.replace(at, std::string_view("{{version}}").size(), version);
  }
  return settings.base_registry.empty() ? image : settings.base_registry + "/" + image;
}

// Takes the files along: of a large source there is never a second copy.
Result<std::string> archive(SourceTree tree) {
  std::string out;
  oci::LayerWriter writer({.compression = oci::Compression::kGzip}, [&](std::string_view bytes) {
    out += bytes;
    return Status();
  });
  for (auto& [path, bytes] : tree) writer.add_bytes(path, std::move(bytes), 0644);
  HEARTH_CHECK_OK(writer.finish());
  return out;
}

// What the image depends on: every file of the context, by path. Hashing the files and not the
// archive keeps the hash when a library compresses differently.
std::string content_hash(const SourceTree& tree) {
  base::Hasher hasher(base::HashAlgorithm::kSha256);
  for (const auto& [path, bytes] : tree) {
    hasher.update(fmt::format("{}:{}\n{}\n", path.size(), path, bytes.size()));
    hasher.update(bytes);
  }
  return base::hex(hasher.finish());
}

}  // namespace

Result<BuildPlan> plan_build(const std::string& ns, const std::string& name,
                             const FunctionSpec& spec, const Languages& languages,
                             SourceTree source, const BuildSettings& settings) {
  HEARTH_TRY(language, languages.find(spec.language));
  // Dependencies that the spec names belong to inline code: a single file, which needs no search.
  HEARTH_TRY(tree, with_main_file(std::move(source), *language, spec.handler));
  if (!spec.source.dependencies.empty() && !language->dependency_manifest.empty()) {
    tree[language->dependency_manifest] = dependency_text(*language, spec.source.dependencies);
  }
  const std::string version = spec.version.empty() ? language->default_version : spec.version;
  const std::map<std::string, std::string> values{
      {"base", image_name(language->base_image, settings, version)},
      {"version", version},
      {"handler", spec.handler.empty() ? language->default_handler : spec.handler},
      {"function", name},
      {"namespace", ns},
      {"timeout", "300"},
  };
  HEARTH_TRY(dockerfile,
             render_template(language->dockerfile, values,
                             [&](const std::string& file) { return tree.contains(file); }));
  for (const auto& [file, bytes] : language->wrapper_files) tree[file] = bytes;
  tree["Dockerfile"] = std::move(dockerfile);
  HEARTH_CHECK_OK(check_bounds(tree));
  BuildPlan plan;
  plan.hash = content_hash(tree);
  HEARTH_TRY(bytes, archive(std::move(tree)));
  plan.context_tar_gz = std::move(bytes);
  const std::string path = fmt::format("/{}/{}:{}", ns, name, plan.hash.substr(0, kTagHashLength));
  plan.push_image = settings.push_registry + path;
  plan.pull_image = settings.pull_registry + path;
  return plan;
}

}  // namespace hearth::lambda
