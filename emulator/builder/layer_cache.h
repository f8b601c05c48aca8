// Which layer an earlier build made for a key: one small file each; a look-up costs one open.
// A layer whose blob has been collected counts as unknown.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "platform/base/hash.h"
#include "platform/base/result.h"
#include "platform/oci/manifest.h"

namespace hearth::builder {

struct Layer {
  oci::Descriptor blob;
  oci::Digest diff_id;
};

// Collects what a key depends on. Every part is framed by its length, so that different lists never
// give the same bytes.
class CacheKey {
 public:
  CacheKey& add(std::string_view part);
  std::string finish();  // hex

 private:
  base::Hasher hasher_{base::HashAlgorithm::kSha256};
};

struct CachedStep {
  std::optional<Layer> layer;  // none: the step changed nothing
};

class LayerCache {
 public:
  explicit LayerCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::optional<CachedStep> find(std::string_view key) const;
  Status remember(std::string_view key, const CachedStep& step) const;

 private:
  std::filesystem::path file_of(std::string_view key) const;
  std::filesystem::path folder_;
};

}  // namespace hearth::builder
