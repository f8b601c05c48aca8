// Digests: SHA-256, MD5 (S3 ETags), SHA-1, CRC32 family (S3 checksums), HMAC (SigV4). Streaming
// hashers are values that move; all results are raw bytes unless a name says hex.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace hearth::base {

enum class HashAlgorithm { kSha256, kSha1, kMd5 };

class Hasher {
 public:
  explicit Hasher(HashAlgorithm algorithm);
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();

  void update(std::string_view bytes);
  // Ends the stream; call once.
  std::string finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string sha256(std::string_view bytes);
std::string sha256_hex(std::string_view bytes);
std::string md5(std::string_view bytes);
std::string hmac_sha256(std::string_view key, std::string_view bytes);

// Polynomials 0xEDB88320 (zlib) and 0x82F63B78 (Castagnoli); pass the previous value to continue.
std::uint32_t crc32(std::string_view bytes, std::uint32_t previous = 0);
std::uint32_t crc32c(std::string_view bytes, std::uint32_t previous = 0);
// CRC-64/NVME: polynomial 0xAD93D23594C93659, reflected, init and xorout all ones.
std::uint64_t crc64nvme(std::string_view bytes, std::uint64_t previous = 0);

// Takes the same time wherever the first difference is.
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace hearth::base
