#include "emulator/store/parsed_objects.h"

namespace hearth::store {

resource::ObjectPtr ParsedObjects::find(const RowKey& row, std::uint64_t version) const {
  const auto it = entries_.find(row);
  if (it == entries_.end() || it->second.version != version) return nullptr;
  return it->second.object.lock();
}

void ParsedObjects::put(const RowKey& row, std::uint64_t version,
                        const resource::ObjectPtr& object) {
  entries_.insert_or_assign(row, Entry{version, object});
}

void ParsedObjects::erase(const RowKey& row) { entries_.erase(row); }

}  // namespace hearth::store
