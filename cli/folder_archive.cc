#include "cli/folder_archive.h"

#include <map>

#include <fmt/format.h>

#include "emulator/builder/ignore_file.h"
#include "platform/base/bytes.h"
#include "platform/base/file.h"
#include "platform/base/hash.h"
#include "platform/base/limits.h"
#include "platform/base/text.h"
#include "platform/oci/layer_writer.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

// Git's patterns are not rooted unless they have a slash before their end, .dockerignore's are.
std::string rooted(std::string_view gitignore) {
  std::string out;
  for (const std::string_view raw : base::split(gitignore, '\n')) {
    std::string_view line = base::trim(raw);
    if (line.empty() || line.starts_with('#')) continue;
    const bool takes_back = line.starts_with('!');
    if (takes_back) line.remove_prefix(1);
    while (line.ends_with('/')) line.remove_suffix(1);
    const bool anywhere = !line.contains('/');
    out += fmt::format("{}{}{}\n", takes_back ? "!" : "", anywhere ? "**/" : "", line);
  }
  return out;
}

Result<builder::IgnoreFile> ignore_rules(const fs::path& folder) {
  std::string text = ".git\n";
  std::error_code error;
  if (fs::exists(folder / ".dockerignore", error)) {
    HEARTH_TRY(rules, base::read_file(folder / ".dockerignore", limits::kYamlBytesMax));
    text += rules;
  } else if (fs::exists(folder / ".gitignore", error)) {
    HEARTH_TRY(rules, base::read_file(folder / ".gitignore", limits::kYamlBytesMax));
    text += rooted(rules);
  }
  return builder::IgnoreFile(text);
}

// The file behind a path of the folder; a link must stay within and lead to a file.
Result<fs::path> real_file(const fs::directory_entry& entry, const fs::path& folder) {
  if (!entry.is_symlink()) return entry.path();
  std::error_code error;
  fs::path real = fs::canonical(entry.path(), error);
  const std::string shown = entry.path().lexically_relative(folder).string();
  if (error) return fail(Code::kInvalid, fmt::format("{}: a link to nothing", shown));
  if (real.lexically_relative(folder).string().starts_with("..")) {
    return fail(Code::kForbidden,
                fmt::format("{}: the link leads out of the folder, to {}", shown, real.string()));
  }
  if (!fs::is_regular_file(real, error)) {
    return fail(Code::kInvalid, fmt::format("{}: links to folders are not packed", shown));
  }
  return real;
}

Result<std::map<std::string, fs::path>> find_files(const fs::path& folder,
                                                   const std::string& without) {
  HEARTH_TRY(rules, ignore_rules(folder));
  std::map<std::string, fs::path> out;
  std::error_code error;
  auto item = fs::recursive_directory_iterator(folder, error);
  for (; !error && item != fs::recursive_directory_iterator(); item.increment(error)) {
    const std::string relative = item->path().lexically_relative(folder).generic_string();
    if (relative == without) continue;
    if (rules.ignores(relative)) continue;
    if (item->is_directory() && !item->is_symlink()) continue;
    HEARTH_TRY(file, real_file(*item, folder));
    std::error_code ignored;
    if (!fs::is_regular_file(file, ignored)) {
      return fail(Code::kInvalid, fmt::format("{} is neither a file nor a folder", relative));
    }
    out.emplace(relative, std::move(file));
    if (out.size() > limits::kContextFilesMax) {
      return fail(Code::kTooLarge, fmt::format("{} has over {} files; leave some out with a "
                                               ".dockerignore",
                                               folder.string(), limits::kContextFilesMax));
    }
  }
  if (error) return fail(Code::kInternal, fmt::format("{}: {}", folder.string(), error.message()));
  return out;
}

}  // namespace

Result<FolderArchive> pack_folder(const fs::path& folder, const std::string& without) {
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  if (error || !fs::is_directory(root)) {
    return fail(Code::kNotFound, fmt::format("no such folder: {}", folder.string()));
  }
  HEARTH_TRY(files, find_files(root, without));
  if (files.empty()) {
    return fail(Code::kNotFound, fmt::format("{} has no files to deploy", folder.string()));
  }
  FolderArchive out;
  base::Hasher hasher(base::HashAlgorithm::kSha256);
  oci::LayerWriter writer({}, [&out](std::string_view bytes) {
    out.tar_gz += bytes;
    return Status();
  });
  std::size_t total = 0;
  for (const auto& [relative, file] : files) {
    HEARTH_TRY(bytes, base::read_file(file, limits::kContextBytesMax));
    total += bytes.size();
    if (total > limits::kContextBytesMax) {
      return fail(Code::kTooLarge,
                  fmt::format("{} has over {} bytes; leave some out with a .dockerignore",
                              folder.string(), limits::kContextBytesMax));
    }
    hasher.update(fmt::format("{}:{}\n{}\n", relative.size(), relative, bytes.size()));
    hasher.update(bytes);
    const auto mode = static_cast<unsigned>(fs::status(file, error).permissions()) & 0777U;
    writer.add_bytes(relative, std::move(bytes), mode);
    out.files.push_back(relative);
  }
  HEARTH_CHECK_OK(writer.finish());
  out.hash = base::hex(hasher.finish());
  return out;
}

}  // namespace hearth::cli
