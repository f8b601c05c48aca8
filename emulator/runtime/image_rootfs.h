// Images as folders: unpacks layers once, by their digests, below {state}/images, so that images of
// the same files share a folder. Complete folders only: unpacked beside, then renamed; which of
// them a start trusts is said in unpacked_images.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "emulator/runtime/unpacked_images.h"
#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/base/result.h"
#include "platform/oci/manifest.h"

namespace hearth::async {
class BlockingPool;
}
namespace hearth::blobs {
class BlobStore;
}
namespace hearth::oci {
struct Reference;
}
namespace hearth::registry {
class Registry;
struct StoredManifest;
}  // namespace hearth::registry

namespace hearth::runtime {

// Who foreign images run as; owns their unpacked files when the daemon is root.
inline constexpr std::uint32_t kImageUser = 65532;

struct ImageRootfs {
  std::string digest;          // of the manifest: "sha256:…"
  std::filesystem::path path;  // the unpacked tree
  oci::ImageConfig config;
  bool host_backed = false;  // the host's programs are under it
  bool frames = false;       // its wrapper speaks frames (label hearth.local/protocol)
  bool unflushed = false;    // have flush() run
};

class ImageStore {
 public:
  ImageStore(std::filesystem::path root, registry::Registry& registry,
             const blobs::BlobStore& blobs, const base::Clock& clock, async::BlockingPool& pool);

  // `image`: any reference whose repository the embedded registry has; the registry's host is not
  // looked at. kNotFound names the image.
  Task<Result<ImageRootfs>> prepare(std::string image);
  // The same image by its digest, "host/repository@sha256:…": what a tag names now. Errors as
  // above.
  Result<std::string> resolve(std::string_view image) const;
  const std::filesystem::path& root() const { return root_; }
  // What was unpacked of late is on the disk, so that the next start finds it.
  Task<void> flush() { return unpacked_.flush(); }
  // What no start can trust, or nobody used for long.
  Task<void> remove_set_aside() { return unpacked_.remove_set_aside(); }
  // Removes what an instance left; on the pool, for it may be large.
  Task<void> remove_scratch(std::filesystem::path folder);

 private:
  Result<registry::StoredManifest> find(const oci::Reference& reference) const;

  std::filesystem::path root_;
  registry::Registry& registry_;
  const blobs::BlobStore& blobs_;
  async::BlockingPool& pool_;
  UnpackedImages unpacked_;
};

}  // namespace hearth::runtime
