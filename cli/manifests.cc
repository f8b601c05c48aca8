#include "cli/manifests.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>

#include <fmt/format.h>

#include "platform/base/file.h"
#include "platform/base/limits.h"
#include "platform/base/text.h"
#include "platform/base/yaml.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

bool is_manifest(const fs::path& path) {
  const std::string extension = path.extension();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

Result<std::vector<fs::path>> files_of(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(path, error)) {
      if (entry.is_regular_file() && is_manifest(entry.path())) files.push_back(entry.path());
    }
    std::ranges::sort(files);
    if (files.empty()) {
      return fail(Code::kNotFound,
                  fmt::format("the folder {} has no *.yaml, *.yml or *.json", path));
    }
    return files;
  }
  if (!fs::exists(path, error)) return fail(Code::kNotFound, fmt::format("no such file: {}", path));
  return std::vector<fs::path>{path};
}

Status check(const Manifest& manifest) {
  const Json& object = manifest.object;
  if (!object.is_object()) {
    return fail(Code::kInvalid, fmt::format("{}: a document is no mapping", manifest.where()));
  }
  for (const char* field : {"apiVersion", "kind"}) {
    if (base::string_at(object, {field}).empty()) {
      return fail(Code::kInvalid, fmt::format("{}: {}: is missing", manifest.where(), field));
    }
  }
  // What the commands themselves write into.
  HEARTH_CHECK_OK(check_is_mapping(manifest, {"metadata"}));
  return check_is_mapping(manifest, {"metadata", "annotations"});
}

Status add_documents(const std::string& text, const std::string& origin,
                     std::vector<Manifest>& out) {
  auto documents = base::parse_yaml_documents(text, origin);
  if (!documents) return fail(Code::kInvalid, documents.error().message);
  const auto shared = std::make_shared<const std::string>(text);
  for (std::size_t i = 0; i < documents->size(); ++i) {
    Json& document = (*documents)[i];
    const Json* items = base::find(document, {"items"});
    if (base::string_at(document, {"kind"}).ends_with("List") && items && items->is_array()) {
      for (std::size_t n = 0; n < items->size(); ++n) {
        out.push_back({origin, items->at(n), shared, i, fmt::format("items[{}].", n)});
      }
    } else {
      out.push_back({origin, std::move(document), shared, i});
    }
  }
  return {};
}

}  // namespace

Status check_is_mapping(const Manifest& manifest, std::initializer_list<std::string_view> path) {
  const Json* value = base::find(manifest.object, path);
  if (value == nullptr || value->is_null() || value->is_object()) return {};
  const std::string field = base::join(std::vector<std::string>(path.begin(), path.end()), ".");
  return fail(Code::kInvalid,
              fmt::format("{}: {}: expected a mapping", manifest.where(field), field));
}

std::string Manifest::where(std::string_view field) const {
  if (!text) return origin;
  const auto at = base::position_of(*text, document, prefix + std::string(field));
  return fmt::format("{}:{}:{}", origin, at.line, at.column);
}

Result<std::vector<Manifest>> load_manifests(const std::vector<std::string>& paths) {
  std::vector<Manifest> out;
  for (const std::string& path : paths) {
    if (path == "-") {
      const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
      HEARTH_CHECK_OK(add_documents(text, "standard input", out));
      continue;
    }
    HEARTH_TRY(files, files_of(path));
    for (const fs::path& file : files) {
      HEARTH_TRY(text, base::read_file(file, limits::kYamlBytesMax));
      HEARTH_CHECK_OK(add_documents(text, file.string(), out));
    }
  }
  for (const Manifest& manifest : out) HEARTH_CHECK_OK(check(manifest));
  if (out.empty()) return fail(Code::kInvalid, "there are no documents to work on");
  return out;
}

std::string namespace_for(const Manifest& manifest, const resource::Type& type,
                          const std::string& fallback) {
  if (!type.namespaced) return {};
  const std::string own = resource::namespace_of(manifest.object);
  return own.empty() ? fallback : own;
}

}  // namespace hearth::cli
