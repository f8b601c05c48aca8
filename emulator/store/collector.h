// Deletes what must go because something else went: dependents of gone owners, the contents of
// namespaces and of custom kinds. Level-triggered: looks at the current state, so that it may be
// asked twice.
#pragma once

#include <string>
#include <string_view>

#include "emulator/store/tables.h"
#include "platform/async/task.h"
#include "platform/resource/definition.h"
#include "platform/resource/store.h"

namespace hearth::store {

inline constexpr std::string_view kNamespaceFinalizer = "kubernetes";

class Collector {
 public:
  Collector(resource::Store& store, sqlite::Database& reader,
            resource::DefinitionRegistry& definitions);

  // Does what the change demands. Errors are logged; sweep() finds the rest at the next start.
  Task<void> after(Change change);
  // All dependents whose owners are gone, all terminating namespaces: once, at start.
  Task<void> sweep();

 private:
  Task<void> collect_dependents(std::string owner_uid);
  Task<void> finish_foreground(Change change);
  Task<void> orphan_dependents(Change change);
  Task<void> empty_namespace(std::string ns);
  Task<void> remove_row(RowKey row);
  Task<void> drop_finalizer(Change change, std::string finalizer);
  resource::Type type_of(const RowKey& row) const;

  resource::Store& store_;
  sqlite::Database& reader_;
  resource::DefinitionRegistry& definitions_;
};

}  // namespace hearth::store
