#include "platform/lambda/source.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "platform/base/text.h"

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

}  // namespace

Result<SourceTree> with_main_file(SourceTree tree, const std::string& main_file,
                                  const std::vector<std::string>& extensions) {
  if (tree.contains(main_file)) return tree;
  if (tree.size() == 1 && has_extension(tree.begin()->first, extensions)) {
    auto node = tree.extract(tree.begin());
    node.key() = main_file;
    tree.insert(std::move(node));
    return tree;
  }
  // A handler may live in any module: one file of the language in the top folder is enough.
  const bool has_module = std::ranges::any_of(tree, [&](const auto& entry) {
    return !entry.first.contains('/') && has_extension(entry.first, extensions);
  });
  if (has_module) return tree;
  return fail(Code::kNotFound,
              fmt::format("the source has no {}; it has {}; missing is a file that ends in {}",
                          main_file, tree.empty() ? std::string("no files") : list_files(tree),
                          fmt::join(extensions, " or ")));
}

}  // namespace hearth::lambda
