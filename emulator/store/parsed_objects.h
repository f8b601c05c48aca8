// Objects that somebody still holds, by their rows: reading one of them again needs neither the
// table nor parsing.
//
// Informers hold what controllers work on, so most reads of a reconcile find theirs here. Who owns
// one tells it of every change of a row, in their order; belongs to its owner's thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "emulator/store/row_key.h"
#include "platform/resource/object.h"

namespace hearth::store {

class ParsedObjects {
 public:
  // The newest version that it was told of; null when nobody holds it.
  resource::ObjectPtr find(const RowKey& row) const;
  // Older versions than the known one are passed over: a read may be ahead of the changes.
  void put(const RowKey& row, std::uint64_t version, const resource::ObjectPtr& object);
  void erase(const RowKey& row, std::uint64_t version);
  void clear() { entries_.clear(); }

 private:
  struct Entry {
    std::uint64_t version = 0;
    std::weak_ptr<const Json> object;
  };
  void forget_released();

  std::map<RowKey, Entry> entries_;  // at most one a row
  std::size_t size_to_look_at_ = 1'024;
};

}  // namespace hearth::store
