#include "platform/base/hash.h"

#include <array>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <zlib.h>

#include "platform/base/bytes.h"

namespace hearth::base {

struct Hasher::Context {
  EVP_MD_CTX* md = EVP_MD_CTX_new();
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { EVP_MD_CTX_free(md); }
};

namespace {

// EVP_sha256() and friends look the algorithm up in every init; a fetched one does not.
const EVP_MD* fetched(HashAlgorithm algorithm) {
  static const EVP_MD* const kSha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  static const EVP_MD* const kSha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  static const EVP_MD* const kMd5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
  switch (algorithm) {
    case HashAlgorithm::kSha256:
      return kSha256;
    case HashAlgorithm::kSha1:
      return kSha1;
    case HashAlgorithm::kMd5:
      return kMd5;
  }
  return kSha256;
}

template <typename Word>
constexpr std::array<Word, 256> crc_table(Word polynomial) {
  std::array<Word, 256> table{};
  for (Word i = 0; i < 256; ++i) {
    Word value = i;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value & 1) != 0 ? (value >> 1) ^ polynomial : value >> 1;
    }
    table[i] = value;
  }
  return table;
}

}  // namespace

Hasher::Hasher(HashAlgorithm algorithm) : context_(std::make_unique<Context>()) {
  EVP_DigestInit_ex(context_->md, fetched(algorithm), nullptr);
}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::update(std::string_view bytes) {
  EVP_DigestUpdate(context_->md, bytes.data(), bytes.size());
}

std::string Hasher::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_->md, out.data(), &size);
  return {reinterpret_cast<const char*>(out.data()), size};
}

std::string sha256(std::string_view bytes) {
  Hasher hasher(HashAlgorithm::kSha256);
  hasher.update(bytes);
  return hasher.finish();
}

std::string sha256_hex(std::string_view bytes) { return hex(sha256(bytes)); }

std::string md5(std::string_view bytes) {
  Hasher hasher(HashAlgorithm::kMd5);
  hasher.update(bytes);
  return hasher.finish();
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), out.data(), &size);
  return {reinterpret_cast<const char*>(out.data()), size};
}

std::uint32_t crc32(std::string_view bytes, std::uint32_t previous) {
  return static_cast<std::uint32_t>(
      ::crc32_z(previous, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t previous) {
  static constexpr auto kTable = crc_table<std::uint32_t>(0x82F63B78U);
  std::uint32_t crc = ~previous;
  for (const char c : bytes) crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 255] ^ (crc >> 8);
  return ~crc;
}

std::uint64_t crc64nvme(std::string_view bytes, std::uint64_t previous) {
  // 0x9A6C9329AC4BC9B5 is 0xAD93D23594C93659 with its bits reversed.
  static constexpr auto kTable = crc_table<std::uint64_t>(0x9A6C9329AC4BC9B5ULL);
  std::uint64_t crc = ~previous;
  for (const char c : bytes) crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 255] ^ (crc >> 8);
  return ~crc;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace hearth::base
