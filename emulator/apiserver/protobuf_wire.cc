#include "emulator/apiserver/protobuf_wire.h"

#include <fmt/format.h>

namespace hearth::apiserver::protobuf {
namespace {

constexpr int kVarintBytesMax = 10;
constexpr std::uint64_t kFieldNumberMax = (1U << 29) - 1;

}  // namespace

Result<std::uint64_t> WireReader::varint() {
  std::uint64_t value = 0;
  for (int i = 0; i < kVarintBytesMax; ++i) {
    if (rest_.empty()) return fail(Code::kBadRequest, "the protobuf body is cut short");
    const auto byte = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    // The tenth byte holds the last of 64 bits.
    if (i == kVarintBytesMax - 1 && byte > 1) break;
    value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) return value;
  }
  return fail(Code::kBadRequest, "the protobuf body has an integer of more than 64 bits");
}

Result<std::string_view> WireReader::take(std::uint64_t bytes) {
  if (bytes > rest_.size()) return fail(Code::kBadRequest, "the protobuf body is cut short");
  const std::string_view taken = rest_.substr(0, bytes);
  rest_.remove_prefix(bytes);
  return taken;
}

Result<WireField> WireReader::next() {
  HEARTH_TRY(tag, varint());
  const std::uint64_t number = tag >> 3;
  if (number == 0 || number > kFieldNumberMax) {
    return fail(Code::kBadRequest, fmt::format("the protobuf body has a field number {}", number));
  }
  WireField field;
  field.number = static_cast<std::uint32_t>(number);
  field.type = static_cast<WireType>(tag & 7);
  switch (field.type) {
    case WireType::kVarint: {
      HEARTH_TRY(integer, varint());
      field.integer = integer;
      return field;
    }
    case WireType::kBytes: {
      HEARTH_TRY(length, varint());
      HEARTH_TRY(bytes, take(length));
      field.bytes = bytes;
      return field;
    }
    case WireType::kFixed64: {
      HEARTH_CHECK_OK(take(8));
      return field;
    }
    case WireType::kFixed32: {
      HEARTH_CHECK_OK(take(4));
      return field;
    }
  }
  return fail(Code::kBadRequest, fmt::format("the protobuf body has a wire type {}", tag & 7));
}

namespace {

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void append_tag(std::string& out, std::uint32_t number, WireType type) {
  append_varint(out, std::uint64_t{number} << 3 | static_cast<std::uint64_t>(type));
}

}  // namespace

void append_bytes(std::string& out, std::uint32_t number, std::string_view bytes) {
  append_tag(out, number, WireType::kBytes);
  append_varint(out, bytes.size());
  out += bytes;
}

void append_flag(std::string& out, std::uint32_t number, bool flag) {
  append_tag(out, number, WireType::kVarint);
  append_varint(out, flag ? 1 : 0);
}

}  // namespace hearth::apiserver::protobuf
