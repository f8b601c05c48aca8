#include "platform/oci/xz_dictionary.h"

#include <array>
#include <cerrno>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

namespace hearth::oci {
namespace {

using namespace std::string_view_literals;

constexpr auto kMagic =
    "\xfd"
    "7zXZ\0"sv;
constexpr std::uint64_t kLzma2 = 0x21;
constexpr std::uint64_t kCrcBytes = 4;
constexpr std::uint64_t kFooterBytes = 12;
// By the check's number in a stream's flags.
constexpr std::array<std::uint64_t, 16> kCheckBytes = {0,  4,  4,  4,  8,  8,  8,  16,
                                                       16, 16, 32, 32, 32, 64, 64, 64};

// A walk over the file that knows where blocks begin. Each step is true when the file goes on as
// the format says. It may take more for right than liblzma does, never less: else a large
// dictionary could stand behind what only this walk stops at.
class Walk {
 public:
  Walk(int fd, off_t begin) : fd_(fd), begin_(begin) {}

  Status run() {
    while (stream()) {
    }
    if (error_ != 0) return fail(system_error(error_, "reading an xz"));
    if (dictionary_bytes_ <= kXzDictionaryBytesMax) return {};
    return fail(
        Code::kTooLarge,
        fmt::format("its xz wants a dictionary of {} bytes; at most {} are taken, those of xz -9",
                    dictionary_bytes_, kXzDictionaryBytesMax));
  }

 private:
  bool stream() {
    std::optional<unsigned> next = byte();
    while (next == 0U) next = byte();  // padding between two streams
    for (const char expected : kMagic) {
      if (next != static_cast<unsigned char>(expected)) return false;
      next = byte();
    }
    const auto check = byte();
    if (next != 0U || !check || *check >= kCheckBytes.size()) return false;
    at_ += kCrcBytes;
    for (next = byte(); next && *next != 0; next = byte()) {
      if (!block(*next, kCheckBytes[*check])) return false;
    }
    return next && index();
  }

  // The first byte is read already: the header's size.
  bool block(unsigned first, std::uint64_t check_bytes) {
    const std::uint64_t end = at_ - 1 + (first + 1) * 4ULL;
    if (!block_header() || at_ > end - kCrcBytes) return false;
    at_ = end;
    while (const auto control = byte()) {
      if (*control == 0) {
        at_ += (4 - (at_ - end) % 4) % 4 + check_bytes;
        return true;
      }
      if (!chunk(*control)) return false;
    }
    return false;
  }

  bool block_header() {
    const auto flags = byte();
    if (!flags || (*flags & 0x3c) != 0) return false;
    if ((*flags & 0x40) != 0 && !number()) return false;  // compressed size
    if ((*flags & 0x80) != 0 && !number()) return false;  // uncompressed size
    for (unsigned left = (*flags & 3) + 1; left > 0; --left) {
      const auto id = number();
      const auto size = number();
      if (!id || !size || *size > kPropertiesBytesMax) return false;
      if (*id == kLzma2 && !dictionary()) return false;
      at_ += *id == kLzma2 ? 0 : *size;
    }
    return true;
  }

  // The one byte of LZMA2's properties.
  bool dictionary() {
    const auto bits = byte();
    if (!bits || *bits > 40) return false;
    dictionary_bytes_ = *bits == 40 ? 0xffff'ffff : (2ULL | (*bits & 1)) << (*bits / 2 + 11);
    return dictionary_bytes_ <= kXzDictionaryBytesMax;
  }

  bool chunk(unsigned control) {
    const bool packed = control >= 0x80;
    if (!packed && control > 2) return false;
    if (packed) at_ += 2;  // the uncompressed size
    const auto high = byte();
    const auto low = byte();
    if (!high || !low) return false;
    if (control >= 0xc0) at_ += 1;  // LZMA's properties
    at_ += (*high << 8U) + *low + 1;
    return true;
  }

  // Its first byte, 0, is read already.
  bool index() {
    const std::uint64_t begin = at_ - 1;
    const auto records = number();
    if (!records) return false;
    for (std::uint64_t i = 0; i < *records; ++i) {
      if (!number() || !number()) return false;
    }
    at_ += (4 - (at_ - begin) % 4) % 4 + kCrcBytes + kFooterBytes;
    return true;
  }

  // Seven bits a byte, the lowest first.
  std::optional<std::uint64_t> number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
      const auto next = byte();
      if (!next) return std::nullopt;
      value |= (*next & 0x7fULL) << shift;
      if ((*next & 0x80) == 0) return value;
    }
    return std::nullopt;
  }

  std::optional<unsigned> byte() {
    if (at_ < window_at_ || at_ - window_at_ >= window_size_) {
      const ssize_t got =
          ::pread(fd_, window_.data(), window_.size(), begin_ + static_cast<off_t>(at_));
      if (got < 0) error_ = errno;
      if (got <= 0) return std::nullopt;
      window_at_ = at_;
      window_size_ = static_cast<std::size_t>(got);
    }
    return window_[at_++ - window_at_];
  }

  static constexpr std::uint64_t kPropertiesBytesMax = 1024;  // no block's header is longer

  int fd_;
  off_t begin_;
  std::uint64_t at_ = 0;
  std::array<unsigned char, 4096> window_{};
  std::uint64_t window_at_ = 0;
  std::size_t window_size_ = 0;
  std::uint64_t dictionary_bytes_ = 0;  // of the last block
  int error_ = 0;
};

}  // namespace

Status check_xz_dictionaries(int fd, off_t begin) { return Walk(fd, begin).run(); }

}  // namespace hearth::oci
