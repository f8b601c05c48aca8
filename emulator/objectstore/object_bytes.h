// Reading the bytes of an object: inline, one blob, or a walk over the blobs of its parts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "emulator/objectstore/call.h"
#include "emulator/objectstore/meta_store.h"
#include "emulator/objectstore/range.h"
#include "emulator/objectstore/services.h"

namespace hearth::objectstore {

// A piece of one blob.
struct Segment {
  std::string digest;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

struct ObjectBytes {
  std::string inline_bytes;       // all of the object's, when there are no segments
  std::vector<Segment> segments;  // all of the object's

  // Those that make up the range, cut to it.
  std::vector<Segment> cut(ByteRange range) const;
};

// Call in the snapshot that found the row.
Result<ObjectBytes> object_bytes(sqlite::Database& database, const ObjectRow& row);

// Writes the segments to a response that was begun; 256 KiB in memory at a time.
Task<Status> send_segments(Services& services, http::Exchange& exchange,
                           std::vector<Segment> segments);

// Reads `buffer.size()` bytes at most; short only at the end of the file.
Result<std::size_t> read_at(int fd, char* data, std::size_t size, std::uint64_t offset);

}  // namespace hearth::objectstore
