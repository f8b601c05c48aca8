#include "emulator/builder/builder.h"

#include <cstdlib>
#include <mutex>

#include <fmt/format.h>

#include "emulator/blobs/blob_store.h"
#include "emulator/builder/build_job.h"
#include "emulator/builder/kaniko_executor.h"
#include "emulator/registry/image_lookup.h"
#include "platform/async/blocking.h"
#include "platform/base/file.h"
#include "platform/base/limits.h"
#include "platform/base/random_id.h"
#include "platform/base/remove_tree.h"
#include "platform/telemetry/log.h"

namespace hearth::builder {
namespace {

constexpr telemetry::Log kLog("builder");

Result<BaseImage> read_image(const registry::StoredManifest& stored,
                             const blobs::BlobStore& blobs) {
  HEARTH_TRY(manifest, oci::parse_manifest(stored.bytes));
  HEARTH_TRY(text, blobs.read(manifest.config->digest.hex(), limits::kManifestBytesMax));
  HEARTH_TRY(config, oci::parse_config(text));
  if (config.diff_ids.size() != manifest.layers.size()) {
    return fail(Code::kCorrupt, "the base image's layers and diff ids differ in number");
  }
  BaseImage out{.digest = stored.digest, .config = std::move(config), .layers = {}};
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    out.layers.push_back({.blob = manifest.layers[i], .diff_id = out.config.diff_ids[i]});
  }
  return out;
}

}  // namespace

Status check_time(const BuildRequest& request) {
  if (request.cancelled && request.cancelled->load()) {
    return fail(Code::kCancelled, "the build was cancelled");
  }
  if (std::chrono::steady_clock::now() < request.started + request.timeout) return {};
  return fail(Code::kDeadlineExceeded,
              fmt::format("the build took longer than {} s", request.timeout.count()));
}

struct Builder::Shared {
  Shared(registry::Registry& registry_in, const blobs::BlobStore& blobs_in,
         async::BlockingPool& pool_in, BuilderOptions options_in)
      : registry(registry_in), blobs(blobs_in), pool(pool_in), options(std::move(options_in)) {
    if (options.caches.empty()) options.caches = options.work_dir / "cache";
    if (options.path.empty()) {
      const char* path = std::getenv("PATH");
      options.path = path != nullptr ? path : std::string(kStandardPathText);
    }
  }

  // Asked once, before the first build: a build has no say in whether it is isolated.
  const Machine& this_machine() {
    std::call_once(asked_once, [this] {
      for (const auto& folder : {options.state, options.work_dir, options.caches}) {
        if (!folder.empty()) machine.state.push_back(std::filesystem::absolute(folder));
      }
      machine.guarded = guarded_folders(machine.state);
      machine.tools = find_host_tools(options.path, machine.guarded);
      const std::filesystem::path probe = options.work_dir / "probe";
      if (const Status made = base::make_private_directory(probe); made) {
        machine.isolation_withheld = isolation_withheld(probe);
      }
      if (machine.isolation_withheld.empty()) return;
      kLog.warn("build_isolation_withheld", {{"error", machine.isolation_withheld}});
    });
    return machine;
  }

  registry::Registry& registry;
  const blobs::BlobStore& blobs;
  async::BlockingPool& pool;
  BuilderOptions options;
  std::once_flag asked_once;
  Machine machine;
};

namespace {

using Job = std::shared_ptr<BuildJob>;

Status resolve_bases(BuildJob& job, const std::vector<std::string>& names,
                     registry::Registry& registry, const blobs::BlobStore& blobs) {
  for (const std::string& name : names) {
    HEARTH_TRY(reference, oci::parse_reference(name));
    const auto stored = registry::find_image(registry, reference);
    if (!stored) continue;
    auto image = read_image(*stored, blobs);
    if (!image) return fail(with_context(image.error(), fmt::format("base image {}", name)));
    job.set_base(name, std::move(*image));
  }
  return {};
}

// All steps; between them the layers become durable.
Task<Status> run_steps(Job job, async::BlockingPool& pool) {
  while (true) {
    auto pending = co_await pool.run([job] { return job->advance(); });
    if (!pending) co_return fail(pending.error());
    if (!*pending) co_return Status();
    auto blob = co_await (*pending)->writer.commit();
    if (!blob) co_return fail(blob.error());
    if (blob->digest != (*pending)->written.digest.hex()) {
      co_return fail(Code::kCorrupt, "a layer changed while it was written");
    }
    HEARTH_CO_CHECK_OK(co_await pool.run([job] { return job->accept(); }));
  }
}

Result<std::vector<oci::Reference>> parse_destinations(const BuildRequest& request) {
  std::vector<oci::Reference> out;
  for (const std::string& text : request.destinations) {
    HEARTH_TRY(reference, oci::parse_reference(text));
    out.push_back(std::move(reference));
  }
  if (out.empty()) return fail(Code::kInvalid, "a build needs a destination");
  return out;
}

Task<Result<oci::Digest>> store_image(Image image, std::vector<oci::Reference> destinations,
                                      registry::Registry& registry, const blobs::BlobStore& blobs) {
  const std::string manifest = oci::dump(image.manifest);
  auto config = co_await blobs.put(std::move(image.config));
  if (!config) co_return fail(config.error());
  for (const oci::Reference& item : destinations) {
    auto stored =
        co_await registry.put_manifest(item.repository, item.tag.empty() ? "latest" : item.tag,
                                       std::string(oci::kOciManifest), manifest);
    if (!stored) co_return fail(stored.error());
  }
  co_return oci::Digest::of(manifest);
}

std::string by_digest(oci::Reference reference, const oci::Digest& digest) {
  reference.tag.clear();
  reference.digest = digest;
  return reference.text();
}

Task<Result<BuildResult>> run_job(Job job, std::vector<oci::Reference> destinations,
                                  async::BlockingPool& pool, registry::Registry& registry,
                                  const blobs::BlobStore& blobs) {
  HEARTH_CO_TRY(names, co_await pool.run([job] { return job->prepare(); }));
  HEARTH_CO_CHECK_OK(resolve_bases(*job, names, registry, blobs));
  HEARTH_CO_CHECK_OK(co_await run_steps(job, pool));
  Image image = job->finish();
  const bool host_backed = image.host_backed;
  HEARTH_CO_TRY(digest, co_await store_image(std::move(image), destinations, registry, blobs));
  co_return BuildResult{.digest = digest,
                        .reference = by_digest(destinations[0], digest),
                        .host_backed = host_backed,
                        .steps = job->steps(),
                        .cached_steps = job->cached_steps()};
}

// Kaniko pushes by itself: what it left in the registry is the result.
Task<Result<BuildResult>> build_with_kaniko(async::BlockingPool& pool, BuilderOptions options,
                                            registry::Registry& registry, BuildRequest request,
                                            oci::Reference destination) {
  const auto started = std::chrono::steady_clock::now();
  const std::filesystem::path folder = options.work_dir / "builds" / base::random_hex(8);
  const Status done = co_await pool.run(
      [request = std::move(request), folder, executor = options.kaniko_executor]() -> Status {
        HEARTH_CHECK_OK(base::make_private_directory(folder));
        const Status ran = run_kaniko(request, executor, folder);
        (void)base::remove_tree(folder);
        return ran;
      });
  if (!done) co_return fail(done.error());
  const auto stored = registry.find_manifest(destination.repository, destination.version());
  if (!stored) {
    co_return fail(Code::kPreconditionFailed,
                   fmt::format("Kaniko's executor ended well, but {} is not in the registry",
                               destination.text()));
  }
  co_return BuildResult{.digest = stored->digest,
                        .reference = by_digest(destination, stored->digest),
                        .duration = std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::steady_clock::now() - started)};
}

}  // namespace

Builder::Builder(registry::Registry& registry, const blobs::BlobStore& blobs,
                 async::BlockingPool& pool, BuilderOptions options)
    : shared_(std::make_shared<Shared>(registry, blobs, pool, std::move(options))) {
  // What a crash left of builds in work.
  (void)base::remove_tree(shared_->options.work_dir / "builds");
}

Builder::~Builder() = default;

Task<Result<BuildResult>> Builder::build(BuildRequest request) {
  const auto shared = shared_;
  const auto started = std::chrono::steady_clock::now();
  HEARTH_CO_TRY(destinations, parse_destinations(request));
  if (!shared->options.kaniko_executor.empty()) {
    co_return co_await build_with_kaniko(shared->pool, shared->options, shared->registry,
                                         std::move(request), destinations[0]);
  }
  auto job = co_await shared->pool.run([shared, request = std::move(request)]() mutable {
    return std::make_shared<BuildJob>(shared->blobs, shared->options, shared->this_machine(),
                                      std::move(request));
  });
  auto result =
      co_await run_job(job, std::move(destinations), shared->pool, shared->registry, shared->blobs);
  co_await shared->pool.run([job] {
    job->clean();
    return 0;
  });
  if (result) {
    result->duration = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - started);
  }
  co_return result;
}

}  // namespace hearth::builder
