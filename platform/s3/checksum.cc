#include "platform/s3/checksum.h"

#include <array>

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/base/text.h"

namespace hearth::s3 {
namespace {

using enum ChecksumAlgorithm;
constexpr std::array kAll = {kCrc32, kCrc32c, kCrc64Nvme, kSha1, kSha256};
constexpr std::string_view kHeaderPrefix = "x-amz-checksum-";

std::string big_endian(std::uint64_t value, std::size_t bytes) {
  std::string out(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    out[bytes - 1 - i] = static_cast<char>((value >> (8 * i)) & 255);
  }
  return out;
}

std::uint64_t from_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = (value << 8) | static_cast<unsigned char>(c);
  return value;
}

// CRCs are linear: appending n zero bytes is a matrix over GF(2), and the matrix for n bytes is
// found by squaring (zlib's crc32_combine, for any width). Row i is the image of bit i.
using Matrix = std::array<std::uint64_t, 64>;

std::uint64_t times(const Matrix& matrix, std::uint64_t vector) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; vector != 0; ++i, vector >>= 1) {
    if ((vector & 1) != 0) sum ^= matrix[i];
  }
  return sum;
}

Matrix squared(const Matrix& matrix) {
  Matrix out;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = times(matrix, matrix[i]);
  return out;
}

std::uint64_t combine_crc(std::uint64_t polynomial, std::size_t bits, std::uint64_t first,
                          std::uint64_t second, std::uint64_t second_bytes) {
  Matrix zeros{};  // one zero bit, reflected
  zeros[0] = polynomial;
  for (std::size_t i = 1; i < bits; ++i) zeros[i] = std::uint64_t{1} << (i - 1);
  for (int i = 0; i < 3; ++i) zeros = squared(zeros);  // one zero byte
  for (; second_bytes != 0; second_bytes >>= 1) {
    if ((second_bytes & 1) != 0) first = times(zeros, first);
    zeros = squared(zeros);
  }
  return first ^ second;
}

std::uint64_t reflected_polynomial(ChecksumAlgorithm algorithm) {
  if (algorithm == kCrc32) return 0xEDB88320U;
  if (algorithm == kCrc32c) return 0x82F63B78U;
  return 0x9A6C9329AC4BC9B5ULL;
}

}  // namespace

std::string_view checksum_name(ChecksumAlgorithm algorithm) {
  switch (algorithm) {
    case kCrc32:
      return "CRC32";
    case kCrc32c:
      return "CRC32C";
    case kCrc64Nvme:
      return "CRC64NVME";
    case kSha1:
      return "SHA1";
    case kSha256:
      return "SHA256";
  }
  return "CRC32";
}

std::optional<ChecksumAlgorithm> parse_checksum_name(std::string_view name) {
  for (const ChecksumAlgorithm algorithm : kAll) {
    if (base::equal_ignoring_case(name, checksum_name(algorithm))) return algorithm;
  }
  return std::nullopt;
}

std::string checksum_header(ChecksumAlgorithm algorithm) {
  return std::string(kHeaderPrefix) + base::lower(checksum_name(algorithm));
}

std::optional<ChecksumAlgorithm> checksum_of_header(std::string_view header_name) {
  if (header_name.size() <= kHeaderPrefix.size() ||
      !base::equal_ignoring_case(header_name.substr(0, kHeaderPrefix.size()), kHeaderPrefix)) {
    return std::nullopt;
  }
  return parse_checksum_name(header_name.substr(kHeaderPrefix.size()));
}

std::size_t checksum_size(ChecksumAlgorithm algorithm) {
  switch (algorithm) {
    case kCrc32:
    case kCrc32c:
      return 4;
    case kCrc64Nvme:
      return 8;
    case kSha1:
      return 20;
    case kSha256:
      return 32;
  }
  return 4;
}

bool is_checksum_value(ChecksumAlgorithm algorithm, std::string_view text) {
  const auto raw = base::from_base64(text);
  return raw && raw->size() == checksum_size(algorithm);
}

ChecksumHasher::ChecksumHasher(ChecksumAlgorithm algorithm) : algorithm_(algorithm) {
  if (algorithm == kSha1) hasher_.emplace(base::HashAlgorithm::kSha1);
  if (algorithm == kSha256) hasher_.emplace(base::HashAlgorithm::kSha256);
}

void ChecksumHasher::update(std::string_view bytes) {
  if (hasher_) hasher_->update(bytes);
  if (algorithm_ == kCrc32) crc_ = base::crc32(bytes, static_cast<std::uint32_t>(crc_));
  if (algorithm_ == kCrc32c) crc_ = base::crc32c(bytes, static_cast<std::uint32_t>(crc_));
  if (algorithm_ == kCrc64Nvme) crc_ = base::crc64nvme(bytes, crc_);
}

std::string ChecksumHasher::finish() {
  if (hasher_) return base::base64(hasher_->finish());
  return base::base64(big_endian(crc_, checksum_size(algorithm_)));
}

std::string checksum(ChecksumAlgorithm algorithm, std::string_view bytes) {
  ChecksumHasher hasher(algorithm);
  hasher.update(bytes);
  return hasher.finish();
}

std::optional<std::string> composite_checksum(ChecksumAlgorithm algorithm,
                                              std::span<const PartChecksum> parts) {
  ChecksumHasher hasher(algorithm);
  for (const PartChecksum& part : parts) {
    const auto raw = base::from_base64(part.value);
    if (!raw || raw->size() != checksum_size(algorithm)) return std::nullopt;
    hasher.update(*raw);
  }
  return fmt::format("{}-{}", hasher.finish(), parts.size());
}

std::optional<std::string> combined_checksum(ChecksumAlgorithm algorithm,
                                             std::span<const PartChecksum> parts) {
  if (algorithm == kSha1 || algorithm == kSha256) return std::nullopt;
  const std::size_t bytes = checksum_size(algorithm);
  std::uint64_t crc = 0;
  for (const PartChecksum& part : parts) {
    const auto raw = base::from_base64(part.value);
    if (!raw || raw->size() != bytes) return std::nullopt;
    crc = combine_crc(reflected_polynomial(algorithm), bytes * 8, crc, from_big_endian(*raw),
                      part.size);
  }
  return base::base64(big_endian(crc, bytes));
}

}  // namespace hearth::s3
