// Languages as data: config/languages/{name}/language.yaml, a Dockerfile template and wrapper
// files. A folder of the same shape in the configuration overrides or adds one, without code.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "platform/base/json.h"

namespace hearth::lambda {

struct Language {
  std::string name;
  std::vector<std::string> aliases;
  std::string default_version;
  std::string default_handler;
  std::string main_file;
  std::vector<std::string> extensions;
  std::string dependency_manifest;
  std::string base_image;                            // "python:{{version}}-slim"
  std::string dockerfile;                            // the template's text
  std::map<std::string, std::string> wrapper_files;  // name → bytes
};

class Languages {
 public:
  // The embedded ones, then those of `overrides` (may be empty or absent).
  static Result<Languages> load(const std::filesystem::path& overrides);

  // By name or alias; kInvalid with the known names otherwise.
  Result<const Language*> find(const std::string& name) const;
  std::vector<std::string> names() const;

 private:
  std::vector<Language> languages_;
};

// {{name}} is replaced, {{#has FILE}}…{{/has}} and {{^has FILE}}…{{/has}} are kept when the file is
// in the context or not. An unknown name is kInvalid.
Result<std::string> render_template(const std::string& text,
                                    const std::map<std::string, std::string>& values,
                                    const std::function<bool(const std::string&)>& has_file);

}  // namespace hearth::lambda
