// JSON: what is parsed is written and parsed the same, and the bytes of a member are what the
// parser sees in it.
#include "platform/base/json.h"
#include "platform/event/json_member.h"
#include "tests/fuzz/fuzz.h"

namespace {
constexpr const char* kAbsent = "absent";
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  const std::string_view text = fuzz::view(data, size);
  const auto value = base::parse_json(text);
  if (!value) {
    fuzz::require_reason(value.error());
    return 0;
  }
  const std::string compact = base::dump_json(*value);
  const auto again = base::parse_json(compact);
  fuzz::require(again && *again == *value, "the same value after a round trip");
  fuzz::require(base::dump_json(*again) == compact, "the same text after a round trip");
  const auto pretty = base::parse_json(base::dump_json_pretty(*value));
  fuzz::require(pretty && *pretty == *value, "the same value after a pretty round trip");
  if (!value->is_object()) return 0;
  // parse_json() skips a byte order mark, top_level_member() looks for none: http_binding.cc knows.
  if (text.starts_with("\xEF\xBB\xBF")) return 0;
  for (const auto& [name, item] : value->items()) {
    const std::string_view member = event::top_level_member(text, name);
    fuzz::require(!member.empty(), "what the parser sees is found, however its name is written");
    fuzz::require(
        member.data() >= text.data() && member.data() + member.size() <= text.data() + text.size(),
        "a member lies in the text");
    const auto parsed = base::parse_json(member);
    fuzz::require(parsed && *parsed == item, "a member's bytes are what the parser sees");
  }
  if (!value->contains(kAbsent)) {
    fuzz::require(event::top_level_member(text, kAbsent).empty(), "what is not there isn't found");
  }
  return 0;
}
