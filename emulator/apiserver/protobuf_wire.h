// The protobuf wire format: a body is a row of (number, wire type, value). Reads never leave the
// body; nothing is copied. https://protobuf.dev/programming-guides/encoding
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "platform/base/result.h"

namespace hearth::apiserver::protobuf {

enum class WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct WireField {
  std::uint32_t number = 0;
  WireType type = WireType::kVarint;
  std::uint64_t integer = 0;  // of kVarint
  std::string_view bytes;     // of kBytes; points into the body
};

class WireReader {
 public:
  explicit WireReader(std::string_view body) : rest_(body) {}
  bool at_end() const { return rest_.empty(); }
  // kBadRequest when the body is cut short or malformed. Groups are refused: Kubernetes has none.
  Result<WireField> next();
  Result<std::uint64_t> varint();

 private:
  Result<std::string_view> take(std::uint64_t bytes);

  std::string_view rest_;
};

// A text, some bytes or a whole message as field `number`.
void append_bytes(std::string& out, std::uint32_t number, std::string_view bytes);
void append_flag(std::string& out, std::uint32_t number, bool flag);

}  // namespace hearth::apiserver::protobuf
