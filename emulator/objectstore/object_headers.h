// The headers an object keeps: its system headers and user metadata, as "name: value\n" lines.
#pragma once

#include <string>
#include <string_view>

#include "emulator/objectstore/call.h"
#include "emulator/objectstore/meta_store.h"
#include "platform/s3/checksum.h"

namespace hearth::objectstore {

inline constexpr std::size_t kUserMetadataBytesMax = 2048;

// From a PUT, a POST ?uploads or a copy that replaces metadata. MetadataTooLarge.
Result<std::string> collect_headers(const http::Headers& request);

// The object's own headers, with the response-* overrides of the query.
void add_object_headers(http::Headers& out, const ObjectRow& row, const Call& call);

// "CRC32:COMPOSITE:value-2"
struct StoredChecksum {
  std::string algorithm;
  std::string type;  // "COMPOSITE" or "FULL_OBJECT"
  std::string value;

  static StoredChecksum parse(std::string_view text);
  std::string text() const { return algorithm + ":" + type + ":" + value; }
  bool empty() const { return algorithm.empty(); }
  std::string header() const;   // "x-amz-checksum-crc32"
  std::string element() const;  // "ChecksumCRC32"
};

}  // namespace hearth::objectstore
