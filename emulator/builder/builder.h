// Builds images from a Dockerfile and a context folder without a container engine: what Kaniko does
// in a cluster. Layers go to the blob store, the image to the embedded registry.
//
// Bases: an image of the embedded registry is built upon as it is; `scratch` is empty; any other
// base makes the image host-backed (design decision "Base images"): it has no base layers, carries
// `hearth.local/base: host` as label and annotation, and its RUN steps use this machine's
// interpreters (host_view.h says what they see).
//
// Every COPY, ADD, RUN and new WORKDIR is one layer. A layer's cache key is the hash of the key
// before it, the instruction, and what it reads (content of copied files; environment of a RUN), so
// that an unchanged prefix is not run again. Equal input gives an equal digest: times are the
// epoch, owners 0:0, paths sorted.
//
// build() is called on the registry's loop; steps run on the pool, one thread for as long as a step
// runs: give the builder a pool of its own. Not done: here-documents, ONBUILD, ADD of URLs, owners
// of --chown, the USER of RUN (commands run as root of their namespace).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/builder/passed_environment.h"
#include "platform/async/task.h"
#include "platform/base/result.h"
#include "platform/oci/digest.h"

namespace hearth::async {
class BlockingPool;
}
namespace hearth::blobs {
class BlobStore;
}
namespace hearth::registry {
class Registry;
}

namespace hearth::builder {

// Label of the configuration and annotation of the manifest.
inline constexpr std::string_view kBaseLabel = "hearth.local/base";
inline constexpr std::string_view kBaseHost = "host";

struct BuildRequest {
  std::string id;
  std::filesystem::path context;               // an unpacked folder; only read
  std::string dockerfile_path = "Dockerfile";  // relative to the context
  std::vector<std::string> destinations;       // "localhost:5001/ns/name:tag"
  std::map<std::string, std::string> build_args;
  std::vector<std::string> arguments;  // of the Job, as they are: for Kaniko's own executor
  std::string target;                  // a stage's name; empty: the last stage
  bool cache = true;  // reuse layers of earlier builds; results are remembered either way
  std::chrono::seconds timeout{600};  // of the whole build
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  // One line without its end, on a pool thread; one call at a time. May be empty.
  std::function<void(std::string_view line)> log;
  std::shared_ptr<std::atomic<bool>> cancelled;  // may be null
};

// kCancelled or kDeadlineExceeded when the build is to end: asked in every loop of its work.
Status check_time(const BuildRequest& request);

struct BuildResult {
  oci::Digest digest;     // of the manifest
  std::string reference;  // the first destination, by digest: "localhost:5001/ns/name@sha256:…"
  bool host_backed = false;
  int steps = 0;  // that make a layer
  int cached_steps = 0;
  std::chrono::milliseconds duration{0};
};

struct BuilderOptions {
  // Folder for stages in work and the index of cached layers.
  std::filesystem::path work_dir;
  // Folder of the package managers' caches (pip, npm, Go), which several daemons may share. RUN
  // steps write to it. Empty: below work_dir.
  std::filesystem::path caches;
  // Kaniko's executor, which then builds everything (kaniko_executor.h). Empty: this builder.
  std::filesystem::path kaniko_executor;
  std::uint64_t stage_bytes_max = 4ULL * 1024 * 1024 * 1024;
  // Where instances find interpreters: the daemon's own PATH when empty.
  std::string path;
  // The daemon's folder with keys and tokens, which no step may see. Empty: work_dir alone.
  std::filesystem::path state;
  // Whether steps get settings and variables of package managers that hold credentials.
  HostCredentials credentials = HostCredentials::kWithhold;
};

class Builder {
 public:
  Builder(registry::Registry& registry, const blobs::BlobStore& blobs, async::BlockingPool& pool,
          BuilderOptions options);
  ~Builder();
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  // Errors: kInvalid (Dockerfile, with line), kNotFound (a file to copy), kPreconditionFailed (a
  // RUN failed: exit code and last lines; or its jail can't be laid out in the image),
  // kDeadlineExceeded, kCancelled, kUnavailable (a RUN that needs namespaces which the machine
  // withholds).
  Task<Result<BuildResult>> build(BuildRequest request);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace hearth::builder
