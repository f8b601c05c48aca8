#include "emulator/apiserver/protobuf.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "emulator/apiserver/protobuf_schema.h"
#include "emulator/apiserver/protobuf_wire.h"
#include "platform/base/bytes.h"
#include "platform/base/clock.h"
#include "platform/base/limits.h"
#include "platform/base/text.h"

namespace hearth::apiserver {
namespace protobuf {
namespace {

constexpr std::string_view kMagic("k8s\0", 4);

constexpr Field kTypeMeta[] = {kept(1, "apiVersion", kString), kept(2, "kind", kString)};
constexpr Field kTimestamp[] = {kept(1, "seconds", kInt), kept(2, "nanos", kInt)};
constexpr Field kText[] = {kept(1, "text", kString)};
constexpr Field kIntOrText[] = {kept(1, "type", kInt), kept(2, "int", kInt),
                                kept(3, "text", kString)};

// Of four-digit years, as base::WallTime can hold them.
constexpr std::int64_t kSecondsMin = -9'000'000'000;  // the year 1684
constexpr std::int64_t kSecondsMax = 9'000'000'000;   // the year 2255

std::unexpected<Error> malformed(std::string what) {
  return fail(Code::kBadRequest, std::move(what));
}

// Adds the members of a message to `object`; `depth` is how deep that object lies.
Status decode_into(Json& object, const Message& message, std::string_view body, std::size_t depth);

Result<Json> decode_message(const Message& message, std::string_view body, std::size_t depth = 0) {
  Json object = Json::object();
  HEARTH_CHECK_OK(decode_into(object, message, body, depth));
  return object;
}

// Null for the zero time: JSON leaves it out.
Result<Json> decode_time(std::string_view body, FieldKind kind) {
  if (body.empty()) return Json();
  HEARTH_TRY(parts, decode_message(kTimestamp, body));
  const std::int64_t seconds = parts.value("seconds", std::int64_t{0});
  const std::int64_t nanos = parts.value("nanos", std::int64_t{0});
  if (seconds < kSecondsMin || seconds > kSecondsMax || nanos < 0 || nanos >= 1'000'000'000) {
    return malformed("the time is out of range");
  }
  const base::WallTime time{std::chrono::seconds(seconds) + std::chrono::nanoseconds(nanos)};
  return Json(kind == kTime ? base::format_rfc3339(time) : base::format_rfc3339_micros(time));
}

Result<Json> decode_quantity(std::string_view body) {
  HEARTH_TRY(parts, decode_message(kText, body));
  const std::string text = parts.value("text", "");
  return Json(text.empty() ? "0" : text);
}

Result<Json> decode_int_or_string(std::string_view body) {
  HEARTH_TRY(parts, decode_message(kIntOrText, body));
  switch (parts.value("type", std::int64_t{0})) {
    case 0:
      return Json(parts.value("int", std::int64_t{0}));
    case 1:
      return Json(parts.value("text", ""));
    default:
      return malformed("the value is neither an integer nor a string");
  }
}

// The one place where the input decides how deep the result is.
Result<Json> decode_raw_json(std::string_view body, std::size_t depth) {
  HEARTH_TRY(parts, decode_message(kText, body));
  const std::string text = parts.value("text", "");
  if (text.empty()) return Json();
  HEARTH_TRY(value, base::parse_json(text));
  if (depth + base::depth_of(value) > limits::kJsonDepthMax) {
    return malformed("JSON is nested too deeply");
  }
  return value;
}

bool is_varint(FieldKind kind) { return kind == kBool || kind == kInt; }

Json json_of_integer(FieldKind kind, std::uint64_t integer) {
  if (kind == kBool) return integer != 0;
  return static_cast<std::int64_t>(integer);  // two's complement, not zigzag
}

// One value of a field; null when it stands for nothing.
Result<Json> decode_value(const Field& field, const WireField& wire, std::size_t depth) {
  if (wire.type != (is_varint(field.kind) ? WireType::kVarint : WireType::kBytes)) {
    return malformed(
        fmt::format("the value has the wrong wire type {}", static_cast<int>(wire.type)));
  }
  switch (field.kind) {
    case kBool:
    case kInt:
      return json_of_integer(field.kind, wire.integer);
    case kString:
      if (!base::is_valid_utf8(wire.bytes)) return malformed("the text is not UTF-8");
      return Json(wire.bytes);
    case kBytes:
      return Json(base::base64(wire.bytes));
    case kTime:
    case kMicroTime:
      return decode_time(wire.bytes, field.kind);
    case kQuantity:
      return decode_quantity(wire.bytes);
    case kIntOrString:
      return decode_int_or_string(wire.bytes);
    case kRawJson:
      return decode_raw_json(wire.bytes, depth);
    case kMessage:
      return decode_message(field.message, wire.bytes, depth + 1);
  }
  return malformed("the value has an unknown kind");
}

// What JSON leaves out of a field that is no pointer.
bool is_zero(const Json& value, FieldKind kind) {
  switch (value.type()) {
    case Json::value_t::string:
      return value.get_ref<const std::string&>() == (kind == kQuantity ? "0" : "");
    case Json::value_t::boolean:
      return !value.get<bool>();
    case Json::value_t::number_integer:
      return value.get<std::int64_t>() == 0;
    default:
      return value.empty();
  }
}

Json zero_of(FieldKind kind) {
  switch (kind) {
    case kString:
    case kBytes:
      return "";
    case kQuantity:
      return "0";
    default:
      return {};
  }
}

// The last of several values counts; several parts of one message add up.
Status decode_single(Json& object, const Field& field, const WireField& wire, std::size_t depth) {
  Json& member = object[field.name];
  if (field.kind == kMessage && wire.type == WireType::kBytes && member.is_object()) {
    HEARTH_CHECK_OK(decode_into(member, field.message, wire.bytes, depth + 1));
  } else {
    HEARTH_TRY(value, decode_value(field, wire, depth));
    member = std::move(value);
  }
  const bool absent = field.shape == Shape::kKept ? member.is_null() : is_zero(member, field.kind);
  if (absent) object.erase(field.name);
  return {};
}

// An empty packed list is none, as in Go.
Status decode_item(Json& object, const Field& field, const WireField& wire, std::size_t depth) {
  if (is_varint(field.kind) && wire.type == WireType::kBytes) {  // packed
    WireReader reader(wire.bytes);
    while (!reader.at_end()) {
      HEARTH_TRY(integer, reader.varint());
      object[field.name].push_back(json_of_integer(field.kind, integer));
    }
    return {};
  }
  HEARTH_TRY(value, decode_value(field, wire, depth + 1));
  object[field.name].push_back(std::move(value));
  return {};
}

// Each entry of a map is a message {1 key, 2 value}.
Status decode_entry(Json& map, const Field& field, const WireField& wire, std::size_t depth) {
  if (wire.type != WireType::kBytes) return malformed("the map's entry is no message");
  const Field entry_fields[] = {kept(1, "key", kString),
                                {2, "value", Shape::kKept, field.kind, field.message}};
  HEARTH_TRY(entry, decode_message(entry_fields, wire.bytes, depth));
  const auto value = entry.find("value");
  map[entry.value("key", "")] = value == entry.end() ? zero_of(field.kind) : std::move(*value);
  return {};
}

Status decode_field(Json& object, const Field& field, const WireField& wire, std::size_t depth) {
  switch (field.shape) {
    case Shape::kField:
    case Shape::kKept:
      return decode_single(object, field, wire, depth);
    case Shape::kList:
      return decode_item(object, field, wire, depth);
    case Shape::kMap:
      return decode_entry(object[field.name], field, wire, depth);
    case Shape::kInlined:
      if (wire.type != WireType::kBytes) return malformed("the value is no message");
      return decode_into(object, field.message, wire.bytes, depth);
  }
  return {};
}

Status decode_into(Json& object, const Message& message, std::string_view body, std::size_t depth) {
  WireReader reader(body);
  while (!reader.at_end()) {
    HEARTH_TRY(wire, reader.next());
    const Field* field = std::ranges::lower_bound(message, wire.number, {}, &Field::number);
    if (field == message.end() || field->number != wire.number) continue;
    Status decoded = decode_field(object, *field, wire, depth);
    if (!decoded && field->shape == Shape::kInlined) return decoded;
    if (!decoded) return fail(with_context(std::move(decoded).error(), field->name));
  }
  return {};
}

// The message Unknown around every object.
struct Envelope {
  std::string api_version;
  std::string kind;
  std::string_view object;
};

Result<Envelope> open_envelope(std::string_view body) {
  if (!body.starts_with(kMagic)) return malformed("the body does not start with \"k8s\\0\"");
  Envelope envelope;
  WireReader reader(body.substr(kMagic.size()));
  while (!reader.at_end()) {
    HEARTH_TRY(wire, reader.next());
    if (wire.number > 3) continue;
    if (wire.type != WireType::kBytes) return malformed("the envelope is malformed");
    if (wire.number == 1) {
      HEARTH_TRY(type, decode_message(kTypeMeta, wire.bytes));
      envelope.api_version = type.value("apiVersion", "");
      envelope.kind = type.value("kind", "");
    } else if (wire.number == 2) {
      envelope.object = wire.bytes;
    } else if (!wire.bytes.empty()) {
      return fail(Code::kUnsupported, "encoded protobuf objects are not supported");
    }
  }
  if (envelope.api_version.empty() || envelope.kind.empty()) {
    return malformed("the envelope names no apiVersion and kind");
  }
  return envelope;
}

Result<Json> decode(std::string_view body) {
  HEARTH_TRY(envelope, open_envelope(body));
  const Message* message = find_kind(envelope.api_version, envelope.kind);
  if (message == nullptr) {
    return fail(Code::kUnsupported,
                fmt::format("{} of {} is not understood as protobuf; send it as application/json",
                            envelope.kind, envelope.api_version));
  }
  HEARTH_TRY(object, decode_message(*message, envelope.object, 1));
  object["apiVersion"] = std::move(envelope.api_version);
  object["kind"] = std::move(envelope.kind);
  return object;
}

}  // namespace
}  // namespace protobuf

Result<Json> decode_kubernetes_protobuf(std::string_view body) {
  auto object = protobuf::decode(body);
  if (!object && object.error().code == Code::kBadRequest) {
    return fail(with_context(std::move(object).error(), "invalid protobuf body"));
  }
  return object;
}

}  // namespace hearth::apiserver
