#include "emulator/builder/layer_cache.h"

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/base/file.h"

namespace hearth::builder {
namespace {

constexpr std::size_t kEntryBytesMax = 4096;

}  // namespace

CacheKey& CacheKey::add(std::string_view part) {
  hasher_.update(fmt::format("{}:", part.size()));
  hasher_.update(part);
  return *this;
}

std::string CacheKey::finish() { return base::hex(hasher_.finish()); }

std::filesystem::path LayerCache::file_of(std::string_view key) const {
  return folder_ / key.substr(0, 2) / key;
}

std::optional<CachedStep> LayerCache::find(std::string_view key) const {
  const auto text = base::read_file(file_of(key), kEntryBytesMax);
  if (!text) return std::nullopt;
  const auto json = base::parse_json(*text);
  if (!json) return std::nullopt;
  if (base::bool_at(*json, {"empty"}).value_or(false)) return CachedStep{};
  const auto digest = oci::Digest::parse(base::string_at(*json, {"digest"}));
  const auto diff_id = oci::Digest::parse(base::string_at(*json, {"diffId"}));
  if (!digest || !diff_id) return std::nullopt;
  return CachedStep{
      Layer{.blob = {.media_type = base::string_at(*json, {"mediaType"}),
                     .digest = *digest,
                     .size = static_cast<std::uint64_t>(base::int_at(*json, {"size"}).value_or(0))},
            .diff_id = *diff_id}};
}

Status LayerCache::remember(std::string_view key, const CachedStep& step) const {
  Json json = {{"empty", true}};
  if (step.layer) {
    json = {{"digest", step.layer->blob.digest.text()},
            {"diffId", step.layer->diff_id.text()},
            {"mediaType", step.layer->blob.media_type},
            {"size", step.layer->blob.size}};
  }
  const std::filesystem::path file = file_of(key);
  HEARTH_CHECK_OK(base::make_private_directory(file.parent_path()));
  return base::write_file_atomically(file, base::dump_json(json));
}

}  // namespace hearth::builder
