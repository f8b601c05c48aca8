// YAML manifests: every document that is parsed is written and parsed the same; a place in the text
// lies in it. The first line is a field path to look for.
#include "platform/base/yaml.h"
#include "tests/fuzz/fuzz.h"

namespace hearth {
namespace {

using fuzz::require;

// Strict: throws for what is not UTF-8.
void require_utf8(const Json& value) {
  try {
    (void)value.dump();
  } catch (const Json::exception&) {
    require(false, "texts are UTF-8");
  }
}

}  // namespace
}  // namespace hearth

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  std::string_view text = fuzz::view(data, size);
  const std::string_view path = fuzz::take_until(text, '\n');
  const auto documents = base::parse_yaml_documents(text, "fuzz.yaml");
  if (!documents) {
    fuzz::require_reason(documents.error());
    return 0;
  }
  for (std::size_t i = 0; i < documents->size(); ++i) {
    const Json& document = (*documents)[i];
    require_utf8(document);
    const auto again = base::parse_yaml(base::dump_yaml(document));
    fuzz::require(again && *again == document, "the same document after a round trip");
    const base::TextPosition place = base::position_of(text, i, path);
    fuzz::require(place.line >= 1 && place.column >= 1 && place.column <= text.size() + 1,
                  "a place lies in the text");
  }
  return 0;
}
