#include "platform/lambda/source.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

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

std::string_view behind(std::string_view text, std::string_view end) {
  const auto at = text.find(end);
  return at == text.npos ? std::string_view() : text.substr(at + end.size());
}

std::string_view without_go_space(std::string_view code) {
  while (true) {
    code.remove_prefix(std::min(code.find_first_not_of(" \t\r\n"), code.size()));
    if (code.starts_with("//"))
      code = behind(code, "\n");
    else if (code.starts_with("/*"))
      code = behind(code.substr(2), "*/");
    else
      return code;
  }
}

// The identifier or keyword that `code` begins with is `word`: takes it.
bool take_go_word(std::string_view& code, std::string_view word) {
  if (!code.starts_with(word)) return false;
  const std::string_view rest = code.substr(word.size());
  if (!rest.empty()) {
    const auto next = static_cast<unsigned char>(rest.front());
    if (std::isalnum(next) != 0 || next == '_' || next >= 0x80) return false;
  }
  code = without_go_space(rest);
  return true;
}

// Go specification, "Package clause": nothing but comments stands above it.
bool is_package_main(std::string_view code) {
  if (code.starts_with("\xEF\xBB\xBF")) code.remove_prefix(3);
  code = without_go_space(code);
  return take_go_word(code, "package") && take_go_word(code, "main");
}

// What a handler wants of a source.
struct Wanted {
  const Language& language;
  std::string handler;
  std::string module;
  bool is_python = false;
  // Our wrappers for Python and Node.js import the handler's module by its name: one of these
  // files. Empty: what the wrapper of a language of the user's own does with a handler isn't known.
  std::vector<std::string> module_files;
};

Wanted wanted_by(const std::string& handler, const Language& language) {
  const std::string& named = handler.empty() ? language.default_handler : handler;
  const bool is_python = language.wrapper_files.contains("runtime.py");
  const bool is_node = language.wrapper_files.contains("runtime.js");
  Wanted out{language, named, named.substr(0, named.find('.')), is_python, {}};
  if (out.module.empty() || (!is_python && !is_node)) return out;
  for (const std::string& extension : language.extensions) {
    out.module_files.push_back(out.module + extension);
  }
  if (is_python) out.module_files.push_back(out.module + "/__init__.py");
  return out;
}

// Beside module_files, what Python imports by the module's name: compiled code and, for
// "package.module.function", a module of a package that has no __init__.py.
bool is_python_module(std::string_view path, const Wanted& wanted) {
  if (!wanted.is_python || !path.starts_with(wanted.module)) return false;
  const std::string_view rest = path.substr(wanted.module.size());
  if (rest.starts_with('/')) {
    return rest.starts_with("/__init__.") || std::ranges::count(wanted.handler, '.') > 1;
  }
  return rest.starts_with('.') && !rest.contains('/') &&
         (rest.ends_with(".pyc") || rest.ends_with(".so"));
}

bool has_module(const SourceTree& tree, const Wanted& wanted) {
  const auto is_there = [&](const std::string& file) { return tree.contains(file); };
  return std::ranges::any_of(wanted.module_files, is_there) ||
         std::ranges::any_of(
             tree, [&](const auto& entry) { return is_python_module(entry.first, wanted); });
}

// What pip installs is importable as the function's own modules are.
bool may_be_installed(const SourceTree& tree, const Wanted& wanted) {
  const Language& language = wanted.language;
  if (!wanted.is_python || !tree.contains(language.dependency_manifest)) return false;
  return std::ranges::any_of(tree, [&](const auto& entry) {
    return !entry.first.contains('/') && has_extension(entry.first, language.extensions);
  });
}

bool has_handler_file(const SourceTree& tree, const Wanted& wanted) {
  const Language& language = wanted.language;
  if (!wanted.module_files.empty()) {
    return has_module(tree, wanted) || may_be_installed(tree, wanted);
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
  if (std::ranges::find(files, path) != files.end() || is_python_module(path, wanted)) return path;
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
