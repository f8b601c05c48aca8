#include "platform/event/http_binding.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/base/json.h"
#include "platform/base/limits.h"
#include "platform/base/text.h"
#include "platform/event/json_member.h"

namespace hearth::event {
namespace {

constexpr std::string_view kHeaderPrefix = "ce-";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         base::equal_ignoring_case(text.substr(0, prefix.size()), prefix);
}

bool is_context_attribute(std::string_view name) {
  return std::ranges::find(kContextAttributes, name) != std::end(kContextAttributes);
}

// "a \"quoted\" value" without its quotes and backslash escapes.
std::string unquote(std::string_view value) {
  std::string out;
  for (std::size_t i = 1; i + 1 < value.size(); ++i) {
    if (value[i] == '\\' && i + 2 < value.size()) ++i;
    out += value[i];
  }
  return out;
}

class ExtensionCount {
 public:
  void add(std::string_view name) {
    if (is_context_attribute(name)) return;
    // What a broker adds on the way (knativeerrorcode) is not the sender's.
    ++(name.starts_with("knative") ? added_ : own_);
  }
  Status check() const {
    constexpr std::size_t kAddedMax = 8;
    if (own_ <= limits::kEventExtensionsMax && added_ <= kAddedMax) return {};
    return fail(Code::kInvalid, fmt::format("the event has more than {} extension attributes",
                                            limits::kEventExtensionsMax));
  }

 private:
  std::size_t own_ = 0;
  std::size_t added_ = 0;
};

Status put_header(CloudEvent& event, std::string_view header, std::string_view raw) {
  const std::string name = base::lower(header.substr(kHeaderPrefix.size()));
  if (name == "datacontenttype") {
    return fail(attribute_error(name, "in binary mode this is the Content-Type header"));
  }
  if (!is_attribute_name(name)) {
    return fail(attribute_error(name, "names have only letters a-z and digits"));
  }
  if (event.attribute(name)) return {};  // repeated: the first one wins
  auto value = decode_header_value(raw);
  if (!value) return fail(attribute_error(name, "is not valid UTF-8"));
  // An empty extension is a value; an empty context attribute is none.
  const bool context = is_context_attribute(name);
  if (context && value->empty()) return fail(attribute_error(name, "is empty"));
  event.set(name, std::move(*value));
  return {};
}

// Version 0.3 names the encoding of its data in an attribute. Ours are decoded: what stayed of it
// would have them decoded again.
void drop_data_encoding(CloudEvent& event) {
  if (event.specversion == "0.3" && event.attribute("datacontentencoding") == "base64") {
    event.remove_extension("datacontentencoding");
  }
}

Result<CloudEvent> decode_binary(const http::Headers& headers, std::string body) {
  CloudEvent event;
  event.specversion.clear();
  for (const auto field : headers) {
    if (!starts_with_ignoring_case(field.name, kHeaderPrefix)) continue;
    HEARTH_CHECK_OK(put_header(event, field.name, field.value));
  }
  ExtensionCount count;
  for (const Attribute& extension : event.extensions) count.add(extension.name);
  HEARTH_CHECK_OK(count.check());
  event.datacontenttype = std::string(headers.get_or("content-type", ""));
  event.data = std::move(body);
  drop_data_encoding(event);
  HEARTH_CHECK_OK(validate(event));
  return event;
}

// The canonical text of a scalar member; nullopt for objects, arrays and fractions.
std::optional<std::string> scalar_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (!value.is_number_integer()) return std::nullopt;
  // As a signed integer the greatest unsigned one would be -1.
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT32_MAX) return std::nullopt;
  const auto number = value.get<std::int64_t>();
  if (number < INT32_MIN || number > INT32_MAX) return std::nullopt;
  return std::to_string(number);
}

Status put_member(CloudEvent& event, const std::string& name, const Json& value) {
  if (name == "data" || name == "data_base64" || value.is_null()) return {};
  if (!is_attribute_name(base::lower(name))) {
    return fail(attribute_error(name, "names have only letters a-z and digits"));
  }
  auto text = scalar_text(value);
  if (!text) return fail(attribute_error(name, "is neither string, boolean nor 32-bit integer"));
  const bool context = is_context_attribute(name);
  if (context && !value.is_string()) return fail(attribute_error(name, "is no string"));
  if (context && text->empty()) return fail(attribute_error(name, "is empty"));
  event.set(base::lower(name), std::move(*text));
  return {};
}

Status put_base64(CloudEvent& event, const Json& value, std::string_view member) {
  auto bytes =
      value.is_string() ? base::from_base64(value.get_ref<const std::string&>()) : std::nullopt;
  if (!bytes) return fail(attribute_error(member, "is no Base64 text"));
  event.data = std::move(*bytes);
  return {};
}

Status put_data(CloudEvent& event, const Json& object, std::string_view body) {
  const auto data = object.find("data");
  const auto encoded = object.find("data_base64");
  if (data != object.end() && encoded != object.end()) {
    return fail(attribute_error("data_base64", "stands beside data"));
  }
  if (encoded != object.end()) return put_base64(event, *encoded, "data_base64");
  if (data == object.end()) return {};
  if (event.specversion == "0.3" && event.attribute("datacontentencoding") == "base64") {
    return put_base64(event, *data, "data");
  }
  if (event.datacontenttype.empty() || is_json_media_type(event.datacontenttype)) {
    // The bytes as they were sent: numbers keep their digits and objects their order.
    event.data = std::string(top_level_member(body, "data"));
    if (event.data.empty()) event.data = base::dump_json(*data);  // behind a byte order mark
    if (event.datacontenttype.empty()) event.datacontenttype = "application/json";
    return {};
  }
  if (!data->is_string()) {
    return fail(attribute_error("data", "is no string, but datacontenttype is no JSON type"));
  }
  event.data = data->get<std::string>();
  return {};
}

// Type and subtype, without parameters.
std::string essence_of(const http::Headers& headers) {
  const std::string type = base::lower(headers.get_or("content-type", ""));
  return std::string(base::trim(std::string_view(type).substr(0, type.find(';'))));
}

Result<CloudEvent> decode_json(std::string_view text) {
  auto object = base::parse_json(text);
  if (!object) return fail(with_context(object.error(), "structured event"));
  if (!object->is_object()) return fail(Code::kInvalid, "structured event: no JSON object");
  CloudEvent event;
  event.specversion.clear();
  // First, for each is looked up among those before it.
  ExtensionCount count;
  for (const auto& [name, value] : object->items()) {
    if (name != "data" && name != "data_base64") count.add(name);
  }
  HEARTH_CHECK_OK(count.check());
  for (const auto& [name, value] : object->items()) {
    HEARTH_CHECK_OK(put_member(event, name, value));
  }
  HEARTH_CHECK_OK(put_data(event, *object, text));
  drop_data_encoding(event);
  HEARTH_CHECK_OK(validate(event));
  return event;
}

Result<CloudEvent> decode_structured(const http::Headers& headers, const std::string& body) {
  const std::string essence = essence_of(headers);
  if (essence != kStructuredMediaType && essence != "application/cloudevents") {
    return fail(Code::kUnsupported, fmt::format("event format \"{}\" is not known; {} is", essence,
                                                kStructuredMediaType));
  }
  return decode_json(body);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_json_string(std::string& out, std::string_view text) {
  out += base::dump_json(Json(text));
}

}  // namespace

Mode mode_of(std::string_view content_type) {
  if (starts_with_ignoring_case(content_type, "application/cloudevents-batch")) {
    return Mode::kBatched;
  }
  if (starts_with_ignoring_case(content_type, "application/cloudevents")) return Mode::kStructured;
  return Mode::kBinary;
}

Result<CloudEvent> decode(const http::Headers& headers, std::string body) {
  switch (mode_of(headers.get_or("content-type", ""))) {
    case Mode::kBatched:
      return fail(Code::kInvalid, "batches of events are not taken here");
    case Mode::kStructured:
      return decode_structured(headers, body);
    case Mode::kBinary:
      break;
  }
  return decode_binary(headers, std::move(body));
}

Result<std::vector<CloudEvent>> decode_batch(const http::Headers& headers, std::string_view body) {
  constexpr std::string_view kMediaType = "application/cloudevents-batch+json";
  if (const std::string essence = essence_of(headers); essence != kMediaType) {
    return fail(Code::kUnsupported,
                fmt::format("batch format \"{}\" is not known; {} is", essence, kMediaType));
  }
  const auto items = array_items(body, kBatchEventsMax);
  if (!items) {
    const bool many = static_cast<std::size_t>(std::ranges::count(body, ',')) >= kBatchEventsMax;
    return fail(many ? Code::kTooLarge : Code::kInvalid,
                fmt::format("batch: no JSON array of at most {} events", kBatchEventsMax));
  }
  std::vector<CloudEvent> events;
  events.reserve(items->size());
  for (const std::string_view item : *items) {
    // The parser skips the mark, but within a batch it is no JSON.
    if (item.starts_with(kByteOrderMark)) {
      return fail(Code::kInvalid, fmt::format("event {}: a byte order mark", events.size()));
    }
    auto event = decode_json(item);
    if (!event) return fail(with_context(event.error(), fmt::format("event {}", events.size())));
    events.push_back(std::move(*event));
  }
  return events;
}

bool claims_event(const http::Headers& headers) {
  return headers.contains("ce-specversion") ||
         mode_of(headers.get_or("content-type", "")) != Mode::kBinary;
}

Result<std::optional<CloudEvent>> decode_reply(const http::Headers& headers, std::string body) {
  if (!claims_event(headers)) return std::nullopt;
  HEARTH_TRY(event, decode(headers, std::move(body)));
  return event;
}

void encode_binary(const CloudEvent& event, http::Headers& headers) {
  std::string header;
  const auto add = [&](std::string_view name, std::string_view value) {
    header.assign(kHeaderPrefix).append(name);
    headers.add(header, encode_header_value(value));
  };
  for (const std::string_view name : kContextAttributes) {
    const auto value = event.attribute(name);
    if (value && name != "datacontenttype") add(name, *value);
  }
  for (const Attribute& extension : event.extensions) add(extension.name, extension.value);
  if (!event.datacontenttype.empty()) headers.add("Content-Type", event.datacontenttype);
}

bool can_be_binary(const CloudEvent& event) {
  return mode_of(event.datacontenttype) == Mode::kBinary;
}

std::string encode(const CloudEvent& event, http::Headers& headers) {
  if (can_be_binary(event)) {
    encode_binary(event, headers);
    return event.data;
  }
  headers.add("Content-Type", kStructuredContentType);
  return encode_structured(event);
}

std::string encode_structured(const CloudEvent& event) {
  std::string out = "{";
  const auto put = [&out](std::string_view name, std::string_view value) {
    out += fmt::format("{}\"{}\":", out.size() > 1 ? "," : "", name);
    append_json_string(out, value);
  };
  for (const std::string_view name : kContextAttributes) {
    if (const auto value = event.attribute(name)) put(name, *value);
  }
  for (const Attribute& extension : event.extensions) put(extension.name, extension.value);
  const bool json = event.datacontenttype.empty() || is_json_media_type(event.datacontenttype);
  // The parser skips the mark, but only where the whole text starts.
  const bool has_mark = event.data.starts_with(kByteOrderMark);
  if (event.data.empty()) {
    // No data is no member; an empty JSON text would be none.
  } else if (json && !has_mark && !event.datacontenttype.empty() && base::parse_json(event.data)) {
    out += fmt::format(",\"data\":{}", event.data);
  } else if (!json && base::is_valid_utf8(event.data)) {
    put("data", event.data);
  } else {
    put("data_base64", base::base64(event.data));
  }
  return out + "}";
}

std::string encode_header_value(std::string_view value) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const auto stays = [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '%'; };
  if (std::ranges::all_of(value, stays)) return std::string(value);
  std::string out;
  out.reserve(value.size());
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (stays(c)) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4U];
      out += kHex[byte & 0x0fU];
    }
  }
  return out;
}

std::optional<std::string> decode_header_value(std::string_view value) {
  std::string text;
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    text = unquote(value);
    value = text;
  }
  if (!value.contains('%')) {
    return base::is_valid_utf8(value) ? std::optional<std::string>(value) : std::nullopt;
  }
  std::string out;
  out.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    const int high = value[i] == '%' && i + 2 < value.size() ? hex_digit(value[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(value[i + 2]) : -1;
    if (low < 0) {
      out += value[i];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (!base::is_valid_utf8(out)) return std::nullopt;
  return out;
}

}  // namespace hearth::event
