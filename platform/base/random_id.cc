#include "platform/base/random_id.h"

#include <array>
#include <cstring>
#include <stdexcept>

#include <sys/random.h>

#include "platform/base/bytes.h"

namespace hearth::base {
namespace {

// One getrandom call serves many small ids.
class Pool {
 public:
  void take(char* out, std::size_t count) {
    while (count > 0) {
      if (at_ == bytes_.size()) refill();
      const std::size_t part = std::min(count, bytes_.size() - at_);
      std::memcpy(out, bytes_.data() + at_, part);
      at_ += part;
      out += part;
      count -= part;
    }
  }

 private:
  void refill() {
    std::size_t filled = 0;
    while (filled < bytes_.size()) {
      const ssize_t got = getrandom(bytes_.data() + filled, bytes_.size() - filled, 0);
      if (got < 0 && errno != EINTR) throw std::runtime_error("getrandom failed");
      if (got > 0) filled += static_cast<std::size_t>(got);
    }
    at_ = 0;
  }

  std::array<char, 512> bytes_{};
  std::size_t at_ = 512;
};

}  // namespace

std::string random_bytes(std::size_t count) {
  thread_local Pool pool;
  std::string out(count, '\0');
  pool.take(out.data(), count);
  return out;
}

std::string random_hex(std::size_t bytes) { return hex(random_bytes(bytes)); }

std::string random_uuid() {
  std::string raw = random_bytes(16);
  raw[6] = static_cast<char>((raw[6] & 0x0f) | 0x40);
  raw[8] = static_cast<char>((raw[8] & 0x3f) | 0x80);
  std::string text = hex(raw);
  for (const std::size_t at : {20U, 16U, 12U, 8U}) text.insert(at, 1, '-');
  return text;
}

std::string random_suffix(std::size_t length) {
  static constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string out = random_bytes(length);
  for (char& c : out) c = kAlphabet[static_cast<unsigned char>(c) % kAlphabet.size()];
  return out;
}

}  // namespace hearth::base
