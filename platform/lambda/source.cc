#include "platform/lambda/source.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "platform/base/text.h"
#include "platform/lambda/language.h"

namespace hearth::lambda {
namespace {

bool has_extension(const std::string& path, const std::vector<std::string>& extensions) {
  return std::ranges::any_of(extensions, [&](const std::string& e) { return path.ends_with(e); });
}

std::string list_files(const SourceTree& tree) {
  std::string out;
  std::size_t shown = 0;
  for (const auto& [path, bytes] : tree) {
    if (++shown > 10) return out + fmt::format(" and {} more", tree.size() - 10);
    out += (out.empty() ? "" : ", ") + path;
  }
  return out;
}

bool is_go(const Language& language) { return has_extension(".go", language.extensions); }

// Go specification, "Package clause": the first one counts; what stands above it are comments.
bool is_package_main(std::string_view code) {
  for (const std::string_view line : base::split(code, '\n')) {
    std::string_view rest = base::trim(line);
    if (!rest.starts_with("package ")) continue;
    rest = base::trim(rest.substr(std::string_view("package ").size()));
    return rest.substr(0, rest.find_first_of(" \t;/")) == "main";
  }
  return false;
}

// What a handler wants of a source.
struct Wanted {
  const Language& language;
  std::string handler;
  std::string module;
  // Python and Node.js import the handler's module by its name: one of these files. Empty: what the
  // wrapper of a language of the user's own does with a handler isn't known here.
  std::vector<std::string> module_files;
};

Wanted wanted_by(const std::string& handler, const Language& language) {
  const std::string& named = handler.empty() ? language.default_handler : handler;
  Wanted out{language, named, named.substr(0, named.find('.')), {}};
  const bool is_python = has_extension(".py", language.extensions);
  const bool is_node = has_extension(".js", language.extensions);
  if (out.module.empty() || (!is_python && !is_node)) return out;
  for (const std::string& extension : language.extensions) {
    out.module_files.push_back(out.module + extension);
  }
  if (is_python) out.module_files.push_back(out.module + "/__init__.py");
  return out;
}

bool has_handler_file(const SourceTree& tree, const Wanted& wanted) {
  const Language& language = wanted.language;
  if (!wanted.module_files.empty()) {
    return std::ranges::any_of(wanted.module_files,
                               [&](const std::string& file) { return tree.contains(file); });
  }
  if (!is_go(language) && tree.contains(language.main_file)) return true;
  return std::ranges::any_of(tree, [&](const auto& entry) {
    const auto& [path, code] = entry;
    if (path.contains('/') || !has_extension(path, language.extensions)) return false;
    return !is_go(language) || (!path.ends_with("_test.go") && is_package_main(code));
  });
}

// The name of a source's only file, which is one of the language.
std::string single_name(const std::string& path, const Wanted& wanted) {
  const auto& files = wanted.module_files;
  if (std::ranges::find(files, path) != files.end()) return path;
  for (const std::string& extension : wanted.language.extensions) {
    const std::string own = wanted.module + extension;
    if (path == own || (!files.empty() && path.ends_with(extension))) return own;
  }
  return wanted.language.main_file;
}

Error no_handler_file(const SourceTree& tree, const Wanted& wanted) {
  const Language& language = wanted.language;
  const bool has_any = std::ranges::any_of(
      tree, [&](const auto& entry) { return has_extension(entry.first, language.extensions); });
  std::string missing =
      fmt::format("missing is a file that ends in {}", fmt::join(language.extensions, " or "));
  std::string expected = language.main_file;
  if (!wanted.module_files.empty()) {
    expected = wanted.module_files.front();
    if (has_any) {
      missing = fmt::format("the handler {} is looked for in {}", wanted.handler,
                            fmt::join(wanted.module_files, " or "));
    }
  } else if (has_any && is_go(language)) {
    missing = "missing is a .go file of package main at its top";
  }
  return {Code::kNotFound,
          fmt::format("the source has no {}; it has {}; {}", expected,
                      tree.empty() ? std::string("no files") : list_files(tree), missing),
          {}};
}

}  // namespace

Result<SourceTree> with_main_file(SourceTree tree, const Language& language,
                                  const std::string& handler) {
  const Wanted wanted = wanted_by(handler, language);
  if (tree.size() == 1 && has_extension(tree.begin()->first, language.extensions)) {
    auto node = tree.extract(tree.begin());
    node.key() = single_name(node.key(), wanted);
    tree.insert(std::move(node));
    return tree;
  }
  if (has_handler_file(tree, wanted)) return tree;
  return fail(no_handler_file(tree, wanted));
}

}  // namespace hearth::lambda
