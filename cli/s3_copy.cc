#include "cli/s3_copy.h"

#include <iostream>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/s3_sync.h"
#include "platform/base/printable.h"
#include "platform/base/text.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

// A side of a copy of many: a folder, or a prefix that stands for one.
struct Side {
  fs::path folder;      // when it is local
  S3Location location;  // else
  bool local = false;

  std::string at(const std::string& name) const {
    return local ? (folder / name).string()
                 : S3Location{location.bucket, location.key + name}.text();
  }
};

Result<Side> side_of(const std::string& text) {
  if (!is_s3_location(text)) return Side{.folder = text, .local = true};
  HEARTH_TRY(location, parse_s3_location(text));
  location.key = as_folder(std::move(location.key));
  return Side{.location = std::move(location)};
}

Status check_sides(const std::string& from, const std::string& to) {
  if (is_s3_location(from) || is_s3_location(to)) return {};
  return fail(Code::kBadRequest, "one side must be s3://BUCKET/KEY; `cp` copies between files");
}

void say(const S3CopyOptions& options, std::string_view what, const std::string& from,
         const std::string& to) {
  if (options.quiet) return;
  std::cerr << base::printable(fmt::format("{}{}: {}{}{}", options.dry_run ? "(dry run) " : "",
                                           what, from, to.empty() ? "" : " to ", to))
            << "\n";
}

Result<SyncTree> files_below(const fs::path& folder) {
  SyncTree out;
  std::error_code error;
  if (!fs::exists(folder, error)) return out;
  fs::recursive_directory_iterator it(folder, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    struct stat info{};
    // Links to files are followed, as awscli does; what is neither file nor folder is left out.
    if (::stat(it->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    out[it->path().lexically_relative(folder).generic_string()] = {
        static_cast<std::uint64_t>(info.st_size),
        base::WallTime(std::chrono::seconds(info.st_mtim.tv_sec))};
  }
  if (error) return fail(system_error(error.value(), folder.string()));
  return out;
}

Result<SyncTree> tree_of(S3Client& client, const Side& side) {
  if (side.local) return files_below(side.folder);
  HEARTH_TRY(objects, client.list_all(side.location));
  SyncTree out;
  for (const s3::ListedObject& object : objects) {
    const std::string name = object.key.substr(side.location.key.size());
    // "folder/": the mark that consoles leave for an empty folder.
    if (name.empty() || name.ends_with('/')) continue;
    out[name] = {object.size, base::parse_rfc3339(object.last_modified).value_or(base::WallTime())};
  }
  return out;
}

Status transfer(S3Client& client, const std::string& from, const std::string& to,
                const S3CopyOptions& options) {
  if (!is_s3_location(from)) {
    HEARTH_TRY(target, parse_s3_location(to));
    return from == "-" ? upload_stream(client, STDIN_FILENO, target, options.content_type)
                       : upload_file(client, from, target, options.content_type);
  }
  HEARTH_TRY(source, parse_s3_location(from));
  if (is_s3_location(to)) {
    HEARTH_TRY(target, parse_s3_location(to));
    return client.copy(source, target);
  }
  return to == "-" ? print_object(client, source) : download_file(client, source, to);
}

Status remove_source(S3Client& client, const std::string& from) {
  if (is_s3_location(from)) {
    HEARTH_TRY(source, parse_s3_location(from));
    return client.remove(source);
  }
  return ::unlink(from.c_str()) == 0 ? Status() : fail(system_error(errno, from));
}

Status perform(S3Client& client, const std::string& from, const std::string& to,
               const S3CopyOptions& options) {
  const std::string_view what = options.remove_source   ? "move"
                                : !is_s3_location(from) ? "upload"
                                : is_s3_location(to)    ? "copy"
                                                        : "download";
  // A move onto itself would remove what it has just written.
  if (from == to)
    return fail(Code::kBadRequest, fmt::format("{}: source and target are one", from));
  if (!options.dry_run) {
    HEARTH_CHECK_OK(transfer(client, from, to, options));
    if (options.remove_source) HEARTH_CHECK_OK(remove_source(client, from));
  }
  say(options, what, from, to);
  return {};
}

// Names below a target that is a folder must stay there: keys come from others.
Status check_name(const Side& to, const std::string& name) {
  if (!to.local) return {};
  HEARTH_CHECK_OK(path_below(to.folder, name));
  return {};
}

Status copy_names(S3Client& client, const Side& from, const Side& to,
                  const std::vector<std::string>& names, const S3CopyOptions& options) {
  Status first;
  for (const std::string& name : names) {
    Status copied = check_name(to, name);
    if (copied) copied = perform(client, from.at(name), to.at(name), options);
    if (copied) continue;
    if (first) {
      first = copied;
    } else {
      std::cerr << "error: " << base::printable_lines(copied.error().message) << "\n";
    }
  }
  return first;
}

Status remove_extra(S3Client& client, const Side& from, const std::vector<std::string>& names,
                    const S3CopyOptions& options) {
  for (const std::string& name : names) {
    if (!options.dry_run) HEARTH_CHECK_OK(remove_source(client, from.at(name)));
    say(options, "delete", from.at(name), "");
  }
  return {};
}

// Where a single copy ends: a folder takes the name of what is copied.
Result<std::string> single_target(const std::string& from, const std::string& to) {
  const std::string name = from.substr(from.rfind('/') + 1);
  if (is_s3_location(to)) {
    HEARTH_TRY(location, parse_s3_location(to));
    const std::string key = key_for(location, from == "-" ? "" : name);
    if (key.empty() || key.ends_with('/')) {
      return fail(Code::kBadRequest, fmt::format("{}: the object needs a key", to));
    }
    return S3Location{location.bucket, key}.text();
  }
  std::error_code error;
  if (to == "-" || (!to.ends_with('/') && !fs::is_directory(to, error))) return to;
  HEARTH_TRY(path, path_below(to, name));
  return path.string();
}

}  // namespace

Status copy_one(S3Client& client, const std::string& from, const std::string& to,
                const S3CopyOptions& options) {
  HEARTH_CHECK_OK(check_sides(from, to));
  std::error_code error;
  if (!is_s3_location(from) && fs::is_directory(from, error)) {
    return fail(Code::kBadRequest, fmt::format("{} is a folder: say --recursive", from));
  }
  HEARTH_TRY(target, single_target(from, to));
  return perform(client, from, target, options);
}

Status copy_all(S3Client& client, const std::string& from, const std::string& to,
                const S3CopyOptions& options) {
  HEARTH_CHECK_OK(check_sides(from, to));
  HEARTH_TRY(source, side_of(from));
  HEARTH_TRY(target, side_of(to));
  HEARTH_TRY(tree, tree_of(client, source));
  if (tree.empty())
    return fail(Code::kNotFound, fmt::format("{}: there is nothing below it", from));
  std::vector<std::string> names;
  for (const auto& [name, entry] : tree) names.push_back(name);
  return copy_names(client, source, target, names, options);
}

Status sync_all(S3Client& client, const std::string& from, const std::string& to,
                const S3CopyOptions& options) {
  HEARTH_CHECK_OK(check_sides(from, to));
  HEARTH_TRY(source, side_of(from));
  HEARTH_TRY(target, side_of(to));
  std::error_code error;
  // With --delete a mistyped folder would empty the target.
  if (source.local && !fs::is_directory(source.folder, error)) {
    return fail(Code::kNotFound, fmt::format("no such folder: {}", from));
  }
  HEARTH_TRY(source_tree, tree_of(client, source));
  HEARTH_TRY(target_tree, tree_of(client, target));
  const SyncPlan plan = plan_sync(source_tree, target_tree,
                                  options.size_only ? SyncRule::kSizeOnly : SyncRule::kSizeOrNewer);
  HEARTH_CHECK_OK(copy_names(client, source, target, plan.copies, options));
  return options.remove_extra ? remove_extra(client, target, plan.removals, options) : Status();
}

Status remove_all(S3Client& client, const S3Location& prefix, const S3CopyOptions& options) {
  HEARTH_TRY(objects, client.list_all(prefix));
  for (const s3::ListedObject& object : objects) {
    const S3Location location{prefix.bucket, object.key};
    if (!options.dry_run) HEARTH_CHECK_OK(client.remove(location));
    say(options, "delete", location.text(), "");
  }
  return {};
}

}  // namespace hearth::cli
