// Objects that somebody still holds, by their rows: reading one of them again needs no parsing.
//
// Informers hold what controllers work on, so most reads of a reconcile find theirs here. The row's
// version decides; an object of another version is never given out. Belongs to the store's loop.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "emulator/store/row_key.h"
#include "platform/resource/object.h"

namespace hearth::store {

class ParsedObjects {
 public:
  // Null when nobody holds this version.
  resource::ObjectPtr find(const RowKey& row, std::uint64_t version) const;
  void put(const RowKey& row, std::uint64_t version, const resource::ObjectPtr& object);
  void erase(const RowKey& row);

 private:
  struct Entry {
    std::uint64_t version = 0;
    std::weak_ptr<const Json> object;
  };
  std::map<RowKey, Entry> entries_;  // at most one a row
};

}  // namespace hearth::store
