// Structural schemas: a line of JSON with the schema, then the value. Any JSON may stand as schema:
// users bring CustomResourceDefinitions.
#include "platform/base/json.h"
#include "platform/resource/schema.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  std::string_view rest = fuzz::view(data, size);
  const auto schema = base::parse_json(fuzz::take_until(rest, '\n'));
  auto value = base::parse_json(rest);
  if (!schema || !value) return 0;
  if (const Status filled = resource::apply_defaults(*schema, *value); !filled) {
    fuzz::require_reason(filled.error());
    return 0;
  }
  Json again = *value;
  fuzz::require(resource::apply_defaults(*schema, again).has_value() && again == *value,
                "defaults are filled once");
  (void)resource::prune_unknown(*schema, *value);
  fuzz::require(resource::prune_unknown(*schema, *value).empty(), "fields are pruned once");
  const auto errors = resource::validate(*schema, *value);
  fuzz::require(errors.size() <= 50, "not all errors of a large value are told");
  for (const FieldError& error : errors) {
    fuzz::require(!error.message.empty() && !error.reason.empty(), "a field's error says why");
  }
  if (errors.empty()) return 0;
  fuzz::require_reason(resource::invalid_object("things.example.com", "x", errors));
  return 0;
}
