#include "emulator/runtime/image_rootfs.h"

#include <cerrno>

#include <fmt/format.h>
#include <unistd.h>

#include "emulator/blobs/blob_store.h"
#include "emulator/registry/image_lookup.h"
#include "platform/async/blocking.h"
#include "platform/base/file.h"
#include "platform/base/hash.h"
#include "platform/base/random_id.h"
#include "platform/base/remove_tree.h"
#include "platform/oci/layer_reader.h"
#include "platform/oci/reference.h"
#include "platform/telemetry/log.h"

namespace hearth::runtime {
namespace {

constexpr telemetry::Log kLog("runtime");
constexpr std::size_t kConfigBytesMax = 4 * 1024 * 1024;
constexpr std::size_t kLayerFilesMax = 1'000'000;
constexpr std::uint64_t kLayerBytesMax = 16ULL * 1024 * 1024 * 1024;

Status unpack_layers(const blobs::BlobStore& blobs, const oci::Manifest& manifest,
                     const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(Code::kInternal, "unpacking an image: " + error.message());
  for (const oci::Descriptor& layer : manifest.layers) {
    HEARTH_TRY(fd, blobs.open_blob(layer.digest.hex()));
    HEARTH_CHECK_OK(oci::extract_archive(fd.get(), folder,
                                         {.kind = oci::ExtractOptions::Kind::kImageLayer,
                                          .files_max = kLayerFilesMax,
                                          .bytes_max = kLayerBytesMax}));
  }
  return {};
}

// A file to mount the daemon's own over, whatever the image has there: a link would lead the mount
// elsewhere.
Status put_mount_point(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(path, error);
  if (std::filesystem::is_regular_file(status)) return {};
  if (std::filesystem::exists(status)) HEARTH_CHECK_OK(base::remove_tree(path));
  return base::write_file_atomically(path, "", 0644);
}

// A folder to mount on. Only what nothing or no folder stands for is replaced.
Status put_mount_folder(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(std::filesystem::symlink_status(path, error))) return {};
  std::filesystem::remove(path, error);
  std::filesystem::create_directory(path, error);
  if (error) return fail(Code::kInternal, path.string() + ": " + error.message());
  return {};
}

// What an image with a root file system of its own needs to be run from here (image_jail.h).
Status prepare_root(const std::filesystem::path& folder) {
  std::error_code error;
  for (const char* name : {"dev", "proc", "sys", "tmp"}) {
    HEARTH_CHECK_OK(put_mount_folder(folder / name));
  }
  const std::filesystem::path etc = folder / "etc";
  if (!std::filesystem::exists(std::filesystem::symlink_status(etc, error))) {
    std::filesystem::create_directory(etc, error);
  }
  if (std::filesystem::is_directory(std::filesystem::symlink_status(etc, error))) {
    HEARTH_CHECK_OK(put_mount_point(etc / "hosts"));
    HEARTH_CHECK_OK(put_mount_point(etc / "resolv.conf"));
  }
  if (::geteuid() != 0) return {};
  auto item = std::filesystem::recursive_directory_iterator(folder, error);
  for (; !error && item != std::filesystem::recursive_directory_iterator(); item.increment(error)) {
    if (::lchown(item->path().c_str(), kImageUser, kImageUser) != 0) {
      return fail(system_error(errno, item->path().string()));
    }
  }
  if (error) return fail(Code::kInternal, "an unpacked image: " + error.message());
  return {};
}

// Anybody may push an image that says it stands on this machine's files. Its /app is mounted from
// outside of the jail, where a link would lead to whatever the daemon can read.
Status check_app(const std::filesystem::path& folder) {
  std::error_code error;
  if (std::filesystem::is_directory(std::filesystem::symlink_status(folder / "app", error))) {
    return {};
  }
  return fail(Code::kInvalid,
              "the image has no folder /app, which images on this machine's files (label "
              "hearth.local/base=host) are run from; a link is none");
}

Status unpack(const blobs::BlobStore& blobs, const oci::Manifest& manifest,
              const std::filesystem::path& folder, bool host_backed) {
  std::error_code error;
  if (std::filesystem::exists(folder, error)) return {};
  const std::filesystem::path aside = folder.string() + ".tmp-" + base::random_hex(4);
  Status unpacked = unpack_layers(blobs, manifest, aside);
  if (unpacked) unpacked = host_backed ? check_app(aside) : prepare_root(aside);
  if (unpacked) std::filesystem::rename(aside, folder, error);
  if (!unpacked || error) (void)base::remove_tree(aside);
  // Another start may have been faster; the folder is there either way.
  if (unpacked && !std::filesystem::exists(folder, error)) {
    return fail(Code::kInternal, "the unpacked image could not be put in its place");
  }
  return unpacked;
}

// Two images of the same layers have the same files, whatever their configurations say.
std::string folder_name(const oci::Manifest& manifest, bool host_backed) {
  std::string text = host_backed ? "host" : "root";
  for (const oci::Descriptor& layer : manifest.layers) text += " " + layer.digest.text();
  return base::sha256_hex(text).substr(0, 32);
}

}  // namespace

ImageStore::ImageStore(std::filesystem::path root, registry::Registry& registry,
                       const blobs::BlobStore& blobs, const base::Clock& clock,
                       async::BlockingPool& pool)
    : root_(std::move(root)),
      registry_(registry),
      blobs_(blobs),
      pool_(pool),
      unpacked_(root_, clock, pool) {}

Result<registry::StoredManifest> ImageStore::find(const oci::Reference& reference) const {
  if (auto stored = registry::find_image(registry_, reference)) return std::move(*stored);
  return fail(Code::kNotFound,
              fmt::format("image {} is not in the embedded registry, and nothing is pulled "
                          "from elsewhere: push it there, for example with skopeo copy",
                          reference.text()));
}

Result<std::string> ImageStore::resolve(std::string_view image) const {
  HEARTH_TRY(reference, oci::parse_reference(image));
  HEARTH_TRY(stored, find(reference));
  reference.tag.clear();
  reference.digest = stored.digest;
  return reference.text();
}

Task<Result<ImageRootfs>> ImageStore::prepare(std::string image) {
  HEARTH_CO_TRY(reference, oci::parse_reference(image));
  HEARTH_CO_TRY(stored, find(reference));
  HEARTH_CO_TRY(manifest, oci::parse_manifest(stored.bytes));
  if (!manifest.config) co_return fail(Code::kInvalid, "image " + image + " has no configuration");
  HEARTH_CO_TRY(config_text, blobs_.read(manifest.config->digest.hex(), kConfigBytesMax));
  HEARTH_CO_TRY(config, oci::parse_config(config_text));
  ImageRootfs out;
  out.digest = stored.digest.text();
  const auto label = [&](const char* name) {
    const auto it = config.labels.find(name);
    return it == config.labels.end() ? std::string() : it->second;
  };
  out.host_backed = label("hearth.local/base") == "host";
  const std::string name = folder_name(manifest, out.host_backed);
  out.path = root_ / name;
  out.frames = label("hearth.local/protocol") == "frames-v1";
  out.config = std::move(config);
  HEARTH_CO_CHECK_OK(co_await pool_.run(
      [blobs = &blobs_, manifest, path = out.path, host_backed = out.host_backed] {
        return unpack(*blobs, manifest, path, host_backed);
      }));
  out.unflushed = unpacked_.use(name);
  co_return out;
}

Task<void> ImageStore::remove_scratch(std::filesystem::path folder) {
  co_await pool_.run([folder = std::move(folder)] {
    const Status removed = base::remove_tree(folder);
    if (!removed) kLog.warn("scratch_stays", {{"error", removed.error().message}});
    return 0;
  });
}

}  // namespace hearth::runtime
