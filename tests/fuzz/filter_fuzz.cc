// Trigger filters: a line of JSON with the Trigger's spec, then an event in the JSON format.
#include "platform/base/json.h"
#include "platform/event/filter.h"
#include "platform/event/http_binding.h"
#include "tests/fuzz/fuzz.h"

namespace hearth {
namespace {

event::CloudEvent event_of(std::string_view body) {
  http::Headers headers;
  headers.add("Content-Type", event::kStructuredMediaType);
  if (auto event = event::decode(headers, std::string(body))) return std::move(*event);
  event::CloudEvent event;
  event.id = "1";
  event.source = "/source";
  event.type = "com.example.type";
  event.subject = "default/name";
  return event;
}

}  // namespace
}  // namespace hearth

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  std::string_view rest = fuzz::view(data, size);
  const auto spec = base::parse_json(fuzz::take_until(rest, '\n'));
  if (!spec) return 0;
  const event::CloudEvent event = event_of(rest);
  for (const char* ns : {"", "default"}) {
    const auto filter = event::Filter::compile(*spec, {.subject_namespace = ns});
    if (!filter) {
      fuzz::require_reason(filter.error());
      continue;
    }
    const event::Verdict verdict = filter->explain(event);
    fuzz::require(verdict.passes == filter->matches(event), "an explanation says what happens");
    fuzz::require(!base::dump_json(event::to_json(verdict)).empty(), "a verdict has a text");
  }
  return 0;
}
