// Turning the parts of an upload into an object: the checks and the sums, without I/O.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "emulator/objectstore/meta_store.h"
#include "platform/s3/xml.h"

namespace hearth::objectstore {

inline constexpr std::uint64_t kPartBytesMin = 5 * 1024 * 1024;  // of every part but the last

// The stored parts the client named, in its order. InvalidPartOrder, InvalidPart, EntityTooSmall.
Result<std::vector<Part>> choose_parts(const std::vector<Part>& stored,
                                       const std::vector<s3::CompletedPart>& wanted);
// MD5 of the parts' MD5s, "-", their number.
std::string multipart_etag(const std::vector<Part>& parts);
// "CRC32:COMPOSITE:value-2"; empty when the upload has no checksum algorithm.
std::string multipart_checksum(const Upload& upload, const std::vector<Part>& parts);

}  // namespace hearth::objectstore
