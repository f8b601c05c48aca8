// COPY and ADD: layers made straight from the context, without unpacking what lies below.
#include <algorithm>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "emulator/builder/build_job.h"
#include "emulator/builder/tree_path.h"
#include "platform/base/file.h"
#include "platform/base/text.h"
#include "platform/base/unique_fd.h"
#include "platform/oci/layer_reader.h"
#include "platform/oci/path_bounds.h"

namespace hearth::builder {
namespace {

namespace fs = std::filesystem;

Result<std::optional<unsigned>> mode_flag(const Instruction& item) {
  const auto found = item.flags.find("chmod");
  if (found == item.flags.end()) return std::optional<unsigned>();
  auto mode = base::parse_int<unsigned>(found->second, 8);
  if (!mode || *mode > 07777) return fail(Code::kInvalid, "--chmod takes an octal mode");
  return mode;
}

Status check_flags(const Instruction& item) {
  for (const auto& [name, value] : item.flags) {
    // Owners are 0:0 in every layer, and every COPY is independent of what lies below (--link).
    if (name == "chown" || name == "link" || name == "chmod") continue;
    if (name == "from" && item.keyword == Keyword::kCopy) continue;
    return fail(Code::kInvalid, fmt::format("--{} is not supported", name));
  }
  return {};
}

bool is_url(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://") || text.starts_with("git@") ||
         text.starts_with("git://");
}

// What the key knows of an item. Modes count as the layer writes them.
Status add_to_key(const CopyItem& item, const oci::Checkpoint& checkpoint, CacheKey& key) {
  HEARTH_CHECK_OK(oci::pass(checkpoint));
  key.add(item.relative).add(item.is_whole_source ? "whole" : "below");
  switch (item.kind) {
    case CopyItem::Kind::kDirectory:
      key.add("folder");
      return {};
    case CopyItem::Kind::kLink:
      key.add("link").add(item.link_target);
      return {};
    case CopyItem::Kind::kFile:
      break;
  }
  HEARTH_TRY(hash, hash_file(item.source, checkpoint));
  key.add((item.mode & 0111) != 0 ? "program" : "file").add(hash);
  return {};
}

}  // namespace

Result<BuildJob::Step> BuildJob::plan_copy(const Instruction& item) {
  HEARTH_CHECK_OK(check_flags(item));
  HEARTH_TRY(mode, mode_flag(item));
  const Variables variables = stage().variables();
  HEARTH_TRY(words, Substitution(variables, file_.escape).of_all(item.words));
  HEARTH_CHECK_OK(oci::check_path(words.back()));
  const std::string destination = stage().absolute(words.back());
  words.pop_back();
  HEARTH_TRY(sources, gather(item, words));
  sources.is_folder_target = sources.is_folder_target || destination.ends_with('/');
  CacheKey key;
  key.add(stage().key).add(item.name).add(destination).add(sources.identity);
  if (mode) key.add(fmt::format("mode {:o}", *mode));
  Step step{.key = key.finish()};
  step.modes = mode ? oci::ModePolicy::kKeep : oci::ModePolicy::kNormalise;
  if (item.flags.contains("from")) step.modes = oci::ModePolicy::kKeep;
  step.fill = [this, item, destination, mode, sources = std::move(sources),
               words](oci::LayerWriter& writer) mutable -> Status {
    if (item.flags.contains("from")) {
      // The key stood for the other stage's content: only now its files are needed.
      HEARTH_TRY(origin, copy_origin(item));
      for (const std::string& word : words) {
        HEARTH_TRY(found, origin.find(word));
        HEARTH_CHECK_OK(sources.list.add(std::move(found)));
      }
    }
    if (item.keyword == Keyword::kAdd) {
      HEARTH_TRY(unpacked, unpack_archives(std::move(sources.list)));
      sources.list = std::move(unpacked);
    }
    return fill_copy(sources, destination, mode, writer);
  };
  return step;
}

Result<BuildJob::CopySources> BuildJob::gather(const Instruction& item,
                                               const std::vector<std::string>& words) {
  CopySources out;
  out.is_folder_target = words.size() > 1;
  CacheKey key;
  if (const auto from = item.flags.find("from"); from != item.flags.end()) {
    auto other = stage_index(from->second);
    if (!other) other = base::parse_int<std::size_t>(from->second);
    if (other && states_.contains(*other)) {
      key.add("stage").add(states_.at(*other)->key);
    } else if (const auto& image = bases_[from->second]) {
      key.add("image").add(image->digest.text());
    } else {
      return fail(
          Code::kNotFound,
          fmt::format("--from={}: neither a stage nor an image of the registry", from->second));
    }
    for (const std::string& word : words) key.add(word);
    out.identity = key.finish();
    return out;
  }
  for (const std::string& word : words) {
    if (item.keyword == Keyword::kAdd && is_url(word)) {
      return fail(Code::kUnsupported, "ADD of URLs is not supported; add the file to the context");
    }
    HEARTH_TRY(found, context_->find(word));
    for (const CopyItem& one : found.items) {
      HEARTH_CHECK_OK(add_to_key(one, checkpoint(), key));
    }
    HEARTH_CHECK_OK(out.list.add(std::move(found)));
  }
  if (out.list.items.empty()) return fail(Code::kNotFound, "no file of the context matches");
  const auto wholes = std::ranges::count_if(out.list.items, &CopyItem::is_whole_source);
  out.is_folder_target = out.is_folder_target || wholes > 1;
  out.identity = key.finish();
  return out;
}

Result<BuildContext> BuildJob::copy_origin(const Instruction& item) {
  const std::string& from = item.flags.find("from")->second;
  auto other = stage_index(from);
  if (!other) other = base::parse_int<std::size_t>(from);
  if (other) {
    StageState& state = *states_.at(*other);
    HEARTH_CHECK_OK(unpack(state));
    return BuildContext::of_tree(state.tree, checkpoint());
  }
  auto [place, is_new] =
      image_trees_.try_emplace(from, folder_ / fmt::format("image-{}", folders_made_ + 1));
  if (is_new) {
    ++folders_made_;
    StageState image;
    image.layers = bases_[from]->layers;
    image.tree = place->second;
    HEARTH_CHECK_OK(unpack(image));
  }
  return BuildContext::of_tree(place->second, checkpoint());
}

// A destination without '/' at its end is a folder when the image has a folder there.
Result<std::string> BuildJob::target_of(const CopyItem& item, const CopySources& sources,
                                        const std::string& destination) {
  bool into = sources.is_folder_target || !item.is_whole_source || destination == "/" ||
              stage().folders.contains(destination);
  if (!into && stage().has_unknown_files) {
    HEARTH_CHECK_OK(unpack(stage()));
    into = has_folder_in(stage().tree, destination);
  }
  if (!into) return destination;
  return item.relative.empty() ? destination : (fs::path(destination) / item.relative).string();
}

Status BuildJob::fill_copy(const CopySources& sources, const std::string& destination,
                           std::optional<unsigned> mode, oci::LayerWriter& writer) {
  for (const CopyItem& item : sources.list.items) {
    HEARTH_CHECK_OK(check_time());
    HEARTH_TRY(target, target_of(item, sources, destination));
    switch (item.kind) {
      case CopyItem::Kind::kDirectory:
        // The destination may be there already and then keeps its mode (/tmp of a base).
        if (!item.relative.empty() || !stage().has_base) {
          writer.add_directory(target, mode.value_or(item.mode));
        }
        stage().add_folder(target);
        break;
      case CopyItem::Kind::kLink:
        writer.add_symlink(target, item.link_target);
        break;
      case CopyItem::Kind::kFile:
        writer.add_file(target, item.source, mode.value_or(item.mode));
        stage().add_folder(fs::path(target).parent_path().string());
        break;
    }
  }
  return {};
}

Result<CopyList> BuildJob::unpack_archives(CopyList list) {
  CopyList out;
  for (CopyItem& item : list.items) {
    HEARTH_CHECK_OK(check_time());
    if (!item.is_whole_source || item.kind != CopyItem::Kind::kFile ||
        !oci::is_archive(item.source)) {
      HEARTH_CHECK_OK(out.add(std::move(item)));
      continue;
    }
    const fs::path folder = folder_ / fmt::format("archive-{}", ++folders_made_);
    HEARTH_CHECK_OK(base::make_private_directory(folder));
    const base::UniqueFd fd(::open(item.source.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return fail(system_error(errno, item.source));
    HEARTH_CHECK_OK(oci::extract_archive(fd.get(), folder, {.checkpoint = checkpoint()}));
    HEARTH_TRY(content, BuildContext::of_tree(folder, checkpoint()).find("."));
    HEARTH_CHECK_OK(out.add(std::move(content)));
  }
  return out;
}

}  // namespace hearth::builder
