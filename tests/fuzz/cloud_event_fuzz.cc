// CloudEvents over HTTP: "name: value" lines, an empty line, the body. An event that is taken is
// valid and arrives the same in both modes.
#include <algorithm>

#include "platform/base/json.h"
#include "platform/base/limits.h"
#include "platform/base/text.h"
#include "platform/event/http_binding.h"
#include "tests/fuzz/fuzz.h"

namespace hearth {
namespace {

using fuzz::require;

http::Headers take_headers(std::string_view& rest) {
  http::Headers headers;
  while (!rest.empty()) {
    const std::string_view line = base::trim(fuzz::take_until(rest, '\n'));
    if (line.empty()) break;
    const auto colon = line.find(':');
    if (colon == line.npos || !http::is_token(line.substr(0, colon))) continue;
    const std::string_view value = base::trim(line.substr(colon + 1));
    if (http::is_field_value(value)) headers.add(line.substr(0, colon), value);
  }
  return headers;
}

bool same_attributes(event::CloudEvent a, event::CloudEvent b) {
  a.data.clear();
  b.data.clear();
  std::ranges::sort(a.extensions, {}, &event::Attribute::name);
  std::ranges::sort(b.extensions, {}, &event::Attribute::name);
  return a == b;
}

// White space around JSON data is not kept in structured mode.
bool same_data(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const auto left = base::parse_json(a);
  const auto right = base::parse_json(b);
  return left && right && *left == *right;
}

void check_binary(const event::CloudEvent& event) {
  // An event about events: its media type would be taken for the mode.
  if (!event::can_be_binary(event)) return;
  http::Headers headers;
  event::encode_binary(event, headers);
  for (const auto field : headers) {
    require(http::is_token(field.name) && http::is_field_value(field.value),
            "an encoded header is one");
  }
  require(event::claims_event(headers), "a binary event claims to be one");
  const auto again = event::decode(headers, event.data);
  require(again && *again == event, "the same event after binary mode");
}

// Data may be nested as deeply as JSON may; what is around them is one level more.
bool may_be_too_deep(std::string_view text) {
  const auto brackets = std::ranges::count_if(text, [](char c) { return c == '[' || c == '{'; });
  return static_cast<std::size_t>(brackets) >= limits::kJsonDepthMax;
}

void check_structured(const event::CloudEvent& event) {
  if (may_be_too_deep(event.data)) return;
  http::Headers headers;
  headers.add("Content-Type", event::kStructuredMediaType);
  const auto again = event::decode(headers, event::encode_structured(event));
  require(again.has_value(), "a structured event is one");
  require(same_attributes(*again, event), "the same attributes after structured mode");
  require(same_data(again->data, event.data), "the same data after structured mode");
}

// Whatever mode is chosen: the other side reads the same event.
void check_encoded(const event::CloudEvent& event) {
  if (may_be_too_deep(event.data)) return;
  http::Headers headers;
  const std::string body = event::encode(event, headers);
  const auto again = event::decode(headers, body);
  require(again && same_attributes(*again, event), "the same event after it is sent");
}

// The body as a batch, whatever the headers say: its events are what they are alone.
void check_batch(std::string_view body) {
  http::Headers headers;
  headers.add("Content-Type", "application/cloudevents-batch+json");
  const auto events = event::decode_batch(headers, body);
  if (!events) {
    fuzz::require_reason(events.error());
    return;
  }
  require(may_be_too_deep(body) || base::parse_json(body), "a batch is JSON");
  std::string again = "[";
  for (const event::CloudEvent& event : *events) {
    require(event::validate(event).has_value(), "an event of a batch is valid");
    again += (again.size() > 1 ? "," : "") + event::encode_structured(event);
  }
  const auto twice = event::decode_batch(headers, again + "]");
  require(twice && twice->size() == events->size(), "as many events after a round trip");
}

}  // namespace
}  // namespace hearth

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  std::string_view rest = fuzz::view(data, size);
  const http::Headers headers = take_headers(rest);
  check_batch(rest);
  const auto reply = event::decode_reply(headers, std::string(rest));
  const auto event = event::decode(headers, std::string(rest));
  if (!event) {
    fuzz::require_reason(event.error());
    return 0;
  }
  fuzz::require(reply.has_value(), "an event is a reply");
  fuzz::require(event::validate(*event).has_value(), "a decoded event is valid");
  check_encoded(*event);
  check_binary(*event);
  check_structured(*event);
  return 0;
}
