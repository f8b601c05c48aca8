#include "platform/lambda/language.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "platform/base/embedded_files.h"
#include "platform/base/file.h"
#include "platform/base/text.h"
#include "platform/base/yaml.h"

namespace hearth::lambda {
namespace {

constexpr std::string_view kFolder = "config/languages/";
constexpr std::string_view kWrappers = "platform/lambda/wrappers/";
constexpr std::size_t kFileBytesMax = 4 * 1024 * 1024;

std::vector<std::string> strings(const Json& value, const char* field) {
  std::vector<std::string> out;
  const Json* list = base::find(value, {field});
  if (list == nullptr || !list->is_array()) return out;
  for (const Json& item : *list) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

Result<Language> parse_language(std::string_view yaml, const std::string& where) {
  auto value = base::parse_yaml(yaml);
  if (!value) return fail(with_context(value.error(), where));
  Language out;
  out.name = base::string_at(*value, {"name"});
  out.aliases = strings(*value, "aliases");
  out.default_version = base::string_at(*value, {"defaultVersion"});
  out.default_handler = base::string_at(*value, {"defaultHandler"});
  out.main_file = base::string_at(*value, {"mainFile"});
  out.extensions = strings(*value, "extensions");
  out.dependency_manifest = base::string_at(*value, {"dependencyManifest"});
  out.base_image = base::string_at(*value, {"baseImage"}, out.name + ":{{version}}");
  for (const std::string& file : strings(*value, "wrapper")) out.wrapper_files[file] = "";
  if (out.name.empty() || out.main_file.empty()) {
    return fail(Code::kInvalid, where + ": name and mainFile are required");
  }
  return out;
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// In a context a wrapper stands in the top folder, whatever folder it came from.
template <typename Read>
Status load_wrappers(Language& language, const Read& read) {
  std::map<std::string, std::string> flat;
  for (const auto& [path, unused] : language.wrapper_files) {
    HEARTH_TRY(bytes, read(path));
    flat[file_name(path)] = std::move(bytes);
  }
  language.wrapper_files = std::move(flat);
  return {};
}

Result<Language> load_embedded(const std::string& name) {
  const std::string folder = std::string(kFolder) + name + "/";
  HEARTH_TRY(language, parse_language(base::embedded_file(folder + "language.yaml").value_or(""),
                                      folder + "language.yaml"));
  language.dockerfile = base::embedded_file(folder + "Dockerfile.tmpl").value_or("");
  HEARTH_CHECK_OK(load_wrappers(language, [&](const std::string& path) -> Result<std::string> {
    const auto found = base::embedded_file(std::string(kWrappers) + path);
    if (!found) return fail(Code::kInternal, fmt::format("no wrapper file {} for {}", path, name));
    return std::string(*found);
  }));
  return language;
}

Result<Language> load_folder(const std::filesystem::path& folder) {
  HEARTH_TRY(yaml, base::read_file(folder / "language.yaml", kFileBytesMax));
  HEARTH_TRY(language, parse_language(yaml, (folder / "language.yaml").string()));
  HEARTH_TRY(dockerfile, base::read_file(folder / "Dockerfile.tmpl", kFileBytesMax));
  language.dockerfile = std::move(dockerfile);
  HEARTH_CHECK_OK(load_wrappers(language, [&](const std::string& path) {
    return base::read_file(folder / path, kFileBytesMax);
  }));
  return language;
}

}  // namespace

Result<Languages> Languages::load(const std::filesystem::path& overrides) {
  Languages out;
  std::set<std::string> names;
  for (const auto& file : base::embedded_files()) {
    if (!file.path.starts_with(kFolder)) continue;
    const std::string_view rest = file.path.substr(kFolder.size());
    names.emplace(rest.substr(0, rest.find('/')));
  }
  for (const std::string& name : names) {
    HEARTH_TRY(language, load_embedded(name));
    out.languages_.push_back(std::move(language));
  }
  std::error_code error;
  if (overrides.empty() || !std::filesystem::is_directory(overrides, error)) return out;
  for (const auto& entry : std::filesystem::directory_iterator(overrides, error)) {
    if (!std::filesystem::exists(entry.path() / "language.yaml")) continue;
    HEARTH_TRY(language, load_folder(entry.path()));
    std::erase_if(out.languages_,
                  [&](const Language& known) { return known.name == language.name; });
    out.languages_.push_back(std::move(language));
  }
  return out;
}

std::vector<std::string> Languages::names() const {
  std::vector<std::string> out;
  out.reserve(languages_.size());
  for (const Language& language : languages_) out.push_back(language.name);
  return out;
}

Result<const Language*> Languages::find(const std::string& name) const {
  for (const Language& language : languages_) {
    if (language.name == name ||
        std::ranges::find(language.aliases, name) != language.aliases.end()) {
      return &language;
    }
  }
  return fail(Code::kInvalid, fmt::format("language \"{}\" is not known; there are {}", name,
                                          base::join(names(), ", ")));
}

namespace {

using HasFile = std::function<bool(const std::string&)>;
constexpr std::string_view kSectionEnd = "{{/has}}";

// Keeps or drops sections, which may nest; reads up to the end or to this section's {{/has}}.
Result<std::string> expand_sections(std::string_view& rest, const HasFile& has_file, bool nested) {
  std::string out;
  while (true) {
    const auto open = std::min(rest.find("{{#has "), rest.find("{{^has "));
    const auto end = rest.find(kSectionEnd);
    if (open == rest.npos && end == rest.npos) {
      if (nested) return fail(Code::kInvalid, "a template section has no {{/has}}");
      return out + std::string(rest);
    }
    const bool closes = end < open;
    out += rest.substr(0, std::min(open, end));
    if (closes) {
      if (!nested) return fail(Code::kInvalid, "a template has {{/has}} without a section");
      rest.remove_prefix(end + kSectionEnd.size());
      // The newline behind a section's tags belongs to the tags.
      if (rest.starts_with('\n')) rest.remove_prefix(1);
      return out;
    }
    const bool wanted = rest[open + 2] == '#';
    const auto close = rest.find("}}", open);
    if (close == rest.npos) return fail(Code::kInvalid, "a template tag has no }}");
    const std::string file(base::trim(rest.substr(open + 7, close - open - 7)));
    rest.remove_prefix(close + 2);
    if (rest.starts_with('\n')) rest.remove_prefix(1);
    HEARTH_TRY(body, expand_sections(rest, has_file, true));
    if (has_file(file) == wanted) out += body;
  }
}

}  // namespace

Result<std::string> render_template(const std::string& text,
                                    const std::map<std::string, std::string>& values,
                                    const std::function<bool(const std::string&)>& has_file) {
  std::string_view rest(text);
  HEARTH_TRY(sections, expand_sections(rest, has_file, false));
  std::string out;
  rest = sections;
  while (true) {
    const auto at = rest.find("{{");
    out += rest.substr(0, at);
    if (at == rest.npos) return out;
    const auto close = rest.find("}}", at);
    if (close == rest.npos) return fail(Code::kInvalid, "a template tag has no }}");
    const std::string name(base::trim(rest.substr(at + 2, close - at - 2)));
    const auto value = values.find(name);
    if (value == values.end()) {
      return fail(Code::kInvalid,
                  fmt::format("template names {{{{{}}}}}, which is not known", name));
    }
    out += value->second;
    rest.remove_prefix(close + 2);
  }
}

}  // namespace hearth::lambda
