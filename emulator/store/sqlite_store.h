// resource::Store on SQLite: the embedded Kubernetes. Applies what an API server applies to every
// write: metadata rules, defaults, pruning, schema and admission, generation, the status
// subresource, optimistic locking, finalizers. Durable before it answers; a watch may start at any
// retained version.
//
// Lives on one loop. Reads use a connection of their own; writes run on the shared writer thread,
// where read-modify-write is atomic; committed changes come back to the loop in order, before the
// answers to their writers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "platform/base/clock.h"
#include "platform/resource/definition.h"
#include "platform/resource/store.h"
#include "platform/sqlite/writer.h"

namespace hearth::async {
class Loop;
}

namespace hearth::store {

// For sqlite::migrate(database, "store", kMigrations).
extern const std::span<const std::string_view> kMigrations;

class SqliteStore final : public resource::Store {
 public:
  // All references outlive the store. Construct and use on the loop.
  SqliteStore(async::Loop& loop, sqlite::Writer& writer, sqlite::Database reader,
              resource::DefinitionRegistry& definitions, const base::Clock& clock);
  ~SqliteStore() override;

  // Reads the counter and puts the stored CustomResourceDefinitions into the registry; then starts
  // collecting objects whose owners are gone.
  Status load();

  Task<Result<resource::ObjectPtr>> create(resource::Type type, Json object,
                                           resource::WriteOptions options) override;
  Task<Result<resource::ObjectPtr>> get(resource::Type type, resource::ObjectKey key) override;
  Task<Result<resource::List>> list(resource::Type type, resource::ListOptions options) override;
  Task<Result<resource::ObjectPtr>> update(resource::Type type, Json object,
                                           resource::WriteOptions options) override;
  Task<Result<resource::ObjectPtr>> patch(resource::Type type, resource::ObjectKey key,
                                          resource::PatchType patch_type, Json patch,
                                          resource::WriteOptions options) override;
  Task<Result<resource::Deleted>> remove(resource::Type type, resource::ObjectKey key,
                                         resource::DeleteOptions options) override;
  Task<Result<std::unique_ptr<resource::Watch>>> watch(resource::Type type,
                                                       resource::WatchOptions options) override;

  // The version of the last change that watchers have seen.
  std::uint64_t resource_version() const;
  // How many watches are open.
  std::size_t watches() const;
  // Ends all watches and background work.
  Task<void> stop();

  struct State;

 private:
  Task<Result<resource::ObjectPtr>> apply_on_server(resource::Type type, resource::ObjectKey key,
                                                    Json configuration,
                                                    resource::WriteOptions options);

  std::shared_ptr<State> state_;
};

}  // namespace hearth::store
