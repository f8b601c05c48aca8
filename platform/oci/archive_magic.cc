#include "platform/oci/archive_magic.h"

#include <algorithm>
#include <array>

namespace hearth::oci {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kTarBlock = 512;
constexpr std::size_t kTarMagicAt = 257;

constexpr auto kGzip = "\x1f\x8b"sv;
constexpr auto kZstd = "\x28\xb5\x2f\xfd"sv;
constexpr auto kXz =
    "\xfd"
    "7zXZ\0"sv;
constexpr std::array kZips = {
    "PK\3\4"sv,
    "PK\5\6"sv,  // without files
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

// A skippable frame may come first, as pzstd writes it: 0x184D2A50 to 0x184D2A5F.
bool is_zstd(std::string_view bytes) {
  return bytes.starts_with(kZstd) ||
         (bytes.size() >= 4 && (static_cast<unsigned char>(bytes[0]) & 0xF0U) == 0x50 &&
          bytes.substr(1).starts_with("\x2a\x4d\x18"));
}

// A text may have the word there, but no zero bytes as the header's fields end with.
bool is_tar(std::string_view bytes) {
  return bytes.size() >= kTarBlock && bytes.substr(kTarMagicAt).starts_with("ustar") &&
         bytes.substr(0, kTarMagicAt).contains('\0');
}

}  // namespace

Packing packing_of(std::string_view bytes) {
  if (bytes.starts_with(kGzip)) return Packing::kGzip;
  if (is_zstd(bytes)) return Packing::kZstd;
  if (bytes.starts_with(kXz)) return Packing::kXz;
  return is_bzip2(bytes) ? Packing::kBzip2 : Packing::kNone;
}

ArchiveMark archive_mark(std::string_view bytes) {
  const auto begins = [bytes](std::string_view magic) { return bytes.starts_with(magic); };
  if (std::ranges::any_of(kForeign, begins)) return ArchiveMark::kForeign;
  const bool readable =
      packing_of(bytes) != Packing::kNone || std::ranges::any_of(kZips, begins) || is_tar(bytes);
  return readable ? ArchiveMark::kReadable : ArchiveMark::kNone;
}

}  // namespace hearth::oci
