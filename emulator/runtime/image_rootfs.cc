#include "emulator/runtime/image_rootfs.h"

#include <fmt/format.h>

#include "emulator/blobs/blob_store.h"
#include "emulator/registry/registry.h"
#include "platform/async/blocking.h"
#include "platform/base/random_id.h"
#include "platform/oci/layer_reader.h"
#include "platform/oci/reference.h"

namespace hearth::runtime {
namespace {

constexpr std::size_t kConfigBytesMax = 4 * 1024 * 1024;

Status unpack_layers(const blobs::BlobStore& blobs, const oci::Manifest& manifest,
                     const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(Code::kInternal, "unpacking an image: " + error.message());
  for (const oci::Descriptor& layer : manifest.layers) {
    HEARTH_TRY(fd, blobs.open_blob(layer.digest.hex()));
    HEARTH_CHECK_OK(
        oci::extract_archive(fd.get(), folder, {.kind = oci::ExtractOptions::Kind::kImageLayer}));
  }
  return {};
}

Status unpack(const blobs::BlobStore& blobs, const oci::Manifest& manifest,
              const std::filesystem::path& folder) {
  std::error_code error;
  if (std::filesystem::exists(folder, error)) return {};
  const std::filesystem::path aside = folder.string() + ".tmp-" + base::random_hex(4);
  const Status unpacked = unpack_layers(blobs, manifest, aside);
  if (unpacked) std::filesystem::rename(aside, folder, error);
  if (!unpacked || error) std::filesystem::remove_all(aside, error);
  // Another start may have been faster; the folder is there either way.
  if (unpacked && !std::filesystem::exists(folder, error)) {
    return fail(Code::kInternal, "the unpacked image could not be put in its place");
  }
  return unpacked;
}

}  // namespace

ImageStore::ImageStore(std::filesystem::path root, registry::Registry& registry,
                       const blobs::BlobStore& blobs, async::BlockingPool& pool)
    : root_(std::move(root)), registry_(registry), blobs_(blobs), pool_(pool) {}

Task<Result<ImageRootfs>> ImageStore::prepare(std::string image) {
  HEARTH_CO_TRY(reference, oci::parse_reference(image));
  auto stored = registry_.find_manifest(reference.repository, reference.version());
  if (!stored) {
    co_return fail(Code::kNotFound, fmt::format("image {} is not in the embedded registry", image));
  }
  HEARTH_CO_TRY(manifest, oci::parse_manifest(stored->bytes));
  if (!manifest.config) co_return fail(Code::kInvalid, "image " + image + " has no configuration");
  HEARTH_CO_TRY(config_text, blobs_.read(manifest.config->digest.hex(), kConfigBytesMax));
  HEARTH_CO_TRY(config, oci::parse_config(config_text));
  ImageRootfs out;
  out.digest = stored->digest.text();
  out.path = root_ / manifest.config->digest.hex().substr(0, 32);
  const auto label = [&](const char* name) {
    const auto it = config.labels.find(name);
    return it == config.labels.end() ? std::string() : it->second;
  };
  out.host_backed = label("hearth.local/base") == "host";
  out.frames = label("hearth.local/protocol") == "frames-v1";
  out.config = std::move(config);
  HEARTH_CO_CHECK_OK(co_await pool_.run(
      [blobs = &blobs_, manifest, path = out.path] { return unpack(*blobs, manifest, path); }));
  co_return out;
}

}  // namespace hearth::runtime
