// How Kubernetes' protobuf messages are described: tables of fields, made at compile time.
//
// protobuf_meta.h, protobuf_volumes.h, protobuf_pod.h and protobuf_kinds.cc hold one table a
// message. A table names only tables above it: messages can't contain themselves and decoding ends.
// Numbers and names are those of the public k8s.io API types; fields not listed are skipped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hearth::apiserver::protobuf {

enum FieldKind : std::uint8_t {
  kString,
  kBool,
  kInt,
  kBytes,        // base64 in JSON
  kTime,         // {1 seconds}, RFC 3339 in whole seconds
  kMicroTime,    // {1 seconds, 2 nanos}, RFC 3339 with six digits
  kQuantity,     // {1 string}
  kIntOrString,  // {1 type, 2 int, 3 string}
  kRawJson,      // {1 bytes}
  kMessage,
};

enum class Shape : std::uint8_t {
  kField,  // a Go value: the encoder always writes it, JSON omits zero and empty
  kKept,   // a Go pointer, or required: what is on the wire stands in JSON, zero too
  kList,
  kMap,      // of string keys
  kInlined,  // the members belong to the surrounding object
};

struct Field;

struct Message {
  const Field* fields = nullptr;
  std::size_t count = 0;

  constexpr Message() = default;
  template <std::size_t N>
  constexpr Message(const Field (&table)[N]) : fields(table), count(N) {}  // NOLINT: tables are it
  constexpr const Field* begin() const;
  constexpr const Field* end() const;
};

struct Field {
  std::uint32_t number = 0;
  const char* name = "";
  Shape shape = Shape::kField;
  FieldKind kind = kMessage;
  Message message = {};
};

constexpr const Field* Message::begin() const { return fields; }
constexpr const Field* Message::end() const { return fields + count; }

constexpr Field field(std::uint32_t number, const char* name, FieldKind kind) {
  return {number, name, Shape::kField, kind, {}};
}
constexpr Field field(std::uint32_t number, const char* name, Message message) {
  return {number, name, Shape::kField, kMessage, message};
}
constexpr Field kept(std::uint32_t number, const char* name, FieldKind kind) {
  return {number, name, Shape::kKept, kind, {}};
}
constexpr Field kept(std::uint32_t number, const char* name, Message message) {
  return {number, name, Shape::kKept, kMessage, message};
}
constexpr Field list(std::uint32_t number, const char* name, FieldKind kind) {
  return {number, name, Shape::kList, kind, {}};
}
constexpr Field list(std::uint32_t number, const char* name, Message message) {
  return {number, name, Shape::kList, kMessage, message};
}
constexpr Field map(std::uint32_t number, const char* name, FieldKind kind) {
  return {number, name, Shape::kMap, kind, {}};
}
constexpr Field inlined(std::uint32_t number, Message message) {
  return {number, "", Shape::kInlined, kMessage, message};
}

// The message of a kind that may come as a request body; nullptr when there is no table of it.
const Message* find_kind(std::string_view api_version, std::string_view kind);

}  // namespace hearth::apiserver::protobuf
