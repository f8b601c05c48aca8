// Takes in the bytes of an object or a part: decodes aws-chunked, checks every digest the client
// sent, keeps small bodies in memory and streams large ones into a blob, in constant memory. A body
// that is torn or does not match leaves nothing behind that anything refers to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "emulator/objectstore/call.h"
#include "emulator/objectstore/services.h"
#include "platform/s3/checksum.h"

namespace hearth::objectstore {

inline constexpr std::uint64_t kInlineBytesMax = 64 * 1024;
inline constexpr std::uint64_t kUploadBytesMax = 5ULL * 1024 * 1024 * 1024;
// CompleteMultipartUpload of 10,000 parts with checksums.
inline constexpr std::uint64_t kDocumentBytesMax = 4 * 1024 * 1024;
inline constexpr std::size_t kTransferBytes = 256 * 1024;

struct ReceivedBody {
  std::string bytes;   // when small
  std::string digest;  // of the blob, when large
  std::uint64_t size = 0;
  std::string md5;  // hex
  std::optional<s3::ChecksumAlgorithm> algorithm;
  std::string checksum;  // base64
};

struct ReceiveOptions {
  // Bodies up to this size stay in memory; 0: everything becomes a blob (parts of uploads).
  std::uint64_t inline_bytes_max = kInlineBytesMax;
  // Computed when the client sent no checksum of its own.
  std::optional<s3::ChecksumAlgorithm> fallback;
};

Task<Result<ReceivedBody>> receive_body(Services& services, Call& call, ReceiveOptions options);

// A small document (XML) with its Content-MD5, checksum and sha256 checked.
Task<Result<std::string>> receive_document(Services& services, Call& call);

}  // namespace hearth::objectstore
