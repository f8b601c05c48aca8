#include "platform/oci/archive_magic.h"

#include <algorithm>
#include <array>

namespace hearth::oci {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kTarBlock = 512;
constexpr std::size_t kTarMagicAt = 257;

constexpr std::array kReadable = {
    "\x1f\x8b"sv,          // gzip
    "\x28\xb5\x2f\xfd"sv,  // zstd
    "\xfd"
    "7zXZ\0"sv,  // xz
    "PK\3\4"sv,
    "PK\5\6"sv,  // a zip without files
};
constexpr std::array kForeign = {
    "7z\xbc\xaf\x27\x1c"sv, "Rar!\x1a\x07"sv,
    "\x04\x22\x4d\x18"sv,  // lz4
    "\x1f\x9d"sv,          // compress
};

// "BZh", a level, and the digits of pi that begin a block: a text may well start with the former.
bool is_bzip2(std::string_view bytes) {
  constexpr std::size_t kBlockAt = 4;
  return bytes.size() > kBlockAt && bytes.starts_with("BZh") &&
         bytes.substr(kBlockAt).starts_with("1AY&SY");
}

// A text may have the word there, but no zero bytes as the header's fields end with.
bool is_tar(std::string_view bytes) {
  return bytes.size() >= kTarBlock && bytes.substr(kTarMagicAt).starts_with("ustar") &&
         bytes.substr(0, kTarMagicAt).contains('\0');
}

}  // namespace

ArchiveMark archive_mark(std::string_view bytes) {
  const auto begins = [bytes](std::string_view magic) { return bytes.starts_with(magic); };
  if (std::ranges::any_of(kForeign, begins)) return ArchiveMark::kForeign;
  if (std::ranges::any_of(kReadable, begins) || is_bzip2(bytes) || is_tar(bytes)) {
    return ArchiveMark::kReadable;
  }
  return ArchiveMark::kNone;
}

}  // namespace hearth::oci
