// S3's additional checksums (x-amz-checksum-*): computing while bytes stream, the composite form of
// multipart uploads and the full-object form from the parts' CRCs. Values are base64 of big-endian
// bytes, composite values end in "-N".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "platform/base/hash.h"

namespace hearth::s3 {

enum class ChecksumAlgorithm { kCrc32, kCrc32c, kCrc64Nvme, kSha1, kSha256 };

// "CRC32", "CRC64NVME", …
std::string_view checksum_name(ChecksumAlgorithm algorithm);
// The name in any case.
std::optional<ChecksumAlgorithm> parse_checksum_name(std::string_view name);
// "x-amz-checksum-crc32"
std::string checksum_header(ChecksumAlgorithm algorithm);
// The algorithm a header of that name carries; nullopt for other headers ("x-amz-checksum-mode").
std::optional<ChecksumAlgorithm> checksum_of_header(std::string_view header_name);
// Length in bytes of the raw value.
std::size_t checksum_size(ChecksumAlgorithm algorithm);
// base64 of the right length.
bool is_checksum_value(ChecksumAlgorithm algorithm, std::string_view base64);

class ChecksumHasher {
 public:
  explicit ChecksumHasher(ChecksumAlgorithm algorithm);
  void update(std::string_view bytes);
  // base64; call once.
  std::string finish();

 private:
  ChecksumAlgorithm algorithm_;
  std::uint64_t crc_ = 0;
  std::optional<base::Hasher> hasher_;
};

std::string checksum(ChecksumAlgorithm algorithm, std::string_view bytes);

struct PartChecksum {
  std::string value;  // base64
  std::uint64_t size = 0;
};
// Checksum over the parts' raw checksums, with "-N". nullopt when a value is malformed.
std::optional<std::string> composite_checksum(ChecksumAlgorithm algorithm,
                                              std::span<const PartChecksum> parts);
// The CRC of the concatenation; nullopt for SHA-1 and SHA-256, which cannot be combined.
std::optional<std::string> combined_checksum(ChecksumAlgorithm algorithm,
                                             std::span<const PartChecksum> parts);

}  // namespace hearth::s3
