#include "emulator/store/parsed_objects.h"

#include <algorithm>

namespace hearth::store {

resource::ObjectPtr ParsedObjects::find(const RowKey& row) const {
  const auto it = entries_.find(row);
  return it == entries_.end() ? nullptr : it->second.object.lock();
}

void ParsedObjects::put(const RowKey& row, std::uint64_t version,
                        const resource::ObjectPtr& object) {
  Entry& entry = entries_[row];
  if (entry.version > version) return;
  entry = {version, object};
  if (entries_.size() >= size_to_look_at_) forget_released();
}

void ParsedObjects::erase(const RowKey& row, std::uint64_t version) {
  const auto it = entries_.find(row);
  if (it != entries_.end() && it->second.version <= version) entries_.erase(it);
}

// When the table has doubled, so that each put pays for two entries at most.
void ParsedObjects::forget_released() {
  constexpr std::size_t kSmall = 1'024;
  std::erase_if(entries_, [](const auto& entry) { return entry.second.object.expired(); });
  size_to_look_at_ = std::max(kSmall, entries_.size() * 2);
}

}  // namespace hearth::store
