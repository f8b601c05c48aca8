// An OCI registry (distribution specification 1.1) over the house's blob store and database, for
// docker, skopeo, buildah, containerd, oras and Kaniko, and in process for builder and runtime.
//
// Lives on one loop: everything here is called there. A success is answered after what it promises
// is durable. No authentication: it listens where the daemon listens.
// Known limits: digests are sha256; uploads in progress do not survive a restart.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/registry/ledger.h"
#include "emulator/registry/route.h"
#include "emulator/registry/uploads.h"
#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/base/result.h"
#include "platform/sqlite/writer.h"

namespace hearth::async {
class Loop;
}
namespace hearth::http {
class Exchange;
struct QueryParameter;
struct ResponseHead;
}  // namespace hearth::http

namespace hearth::registry {

class Registry {
 public:
  // `writer` writes the database in `database_file`, migrated with kMigrations as kRoom. All
  // references outlive the registry.
  static Result<std::unique_ptr<Registry>> open(async::Loop& loop, sqlite::Writer& writer,
                                                const std::filesystem::path& database_file,
                                                const blobs::BlobStore& blobs,
                                                const base::Clock& clock);

  // Any request whose path starts with /v2.
  Task<void> handle(http::Exchange& exchange);

  // Stores a manifest under `tag` (which may be empty). Blobs it names that are in the blob store
  // become the repository's. kPreconditionFailed when one is not.
  Task<Result<oci::Digest>> put_manifest(std::string repository, std::string tag,
                                         std::string media_type, std::string bytes);
  // By tag or digest; kNotFound.
  Result<StoredManifest> find_manifest(std::string_view repository, std::string_view reference);

  // Garbage collection: hex digests to keep, and dropping what no manifest needs any more.
  Result<std::set<std::string, std::less<>>> live_digests();
  Task<Result<std::int64_t>> drop_unreferenced(std::chrono::seconds grace);

 private:
  using Query = std::vector<http::QueryParameter>;

  Registry(async::Loop& loop, sqlite::Writer& writer, sqlite::Database database,
           const blobs::BlobStore& blobs, const base::Clock& clock);

  Task<Status> dispatch(http::Exchange& exchange, Route route, Query query);
  Task<Status> list(http::Exchange& exchange, Route route, Query query);

  // blob_routes.cc
  Task<Status> blob(http::Exchange& exchange, Route route);
  Task<Status> send_blob(http::Exchange& exchange, oci::Digest digest, std::uint64_t size);
  Task<Status> start_upload(http::Exchange& exchange, Route route, Query query);
  Task<Status> upload(http::Exchange& exchange, Route route, Query query);
  Task<Status> finish_upload(http::Exchange& exchange, std::shared_ptr<Upload> upload,
                             std::string digest_text);
  Task<Result<bool>> mount(std::string repository, std::string from, oci::Digest digest);
  Task<Status> receive(http::Exchange& exchange, std::shared_ptr<Upload> upload);
  Task<Status> link(BlobLink link);

  // manifest_routes.cc
  Task<Status> manifest(http::Exchange& exchange, Route route, Query query);
  Task<Status> accept_manifest(http::Exchange& exchange, Route route, Query query);
  Task<Status> remove(http::Exchange& exchange, Route route);
  Task<Status> send_referrers(http::Exchange& exchange, Route route, Query query);
  Task<Status> store(ManifestRecord record, std::vector<BlobLink> links);

  std::int64_t now() const;

  async::Loop& loop_;
  sqlite::Writer& writer_;
  sqlite::Database database_;
  const blobs::BlobStore& blobs_;
  const base::Clock& clock_;
  Uploads uploads_;
};

// The first value of that name; empty when it is absent.
std::string_view query_value(const std::vector<http::QueryParameter>& query, std::string_view name);

}  // namespace hearth::registry
