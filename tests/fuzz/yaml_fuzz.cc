// YAML manifests: every document that is parsed is written and parsed the same; a place in the text
// lies in it; aliases make no more of a text than the limits say. The first line is a field path to
// look for.
#include "platform/base/limits.h"
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

std::size_t nodes_of(const Json& value) {
  std::size_t count = 1;
  if (!value.is_structured()) return count;
  for (const Json& item : value) count += nodes_of(item);
  return count;
}

// A node is at least a byte, or the lack of one before a "," or a line's end.
void require_bounded(const std::vector<Json>& documents, std::string_view text) {
  std::size_t nodes = 0;
  for (const Json& document : documents) nodes += nodes_of(document);
  require(nodes <= limits::kYamlNodesMax, "a text has a bounded number of nodes");
  const std::size_t written = 2 * (text.size() + 1);
  require(nodes <= documents.size() * limits::kYamlFewNodes +
                       written * limits::kYamlNodesPerWrittenNodeMax,
          "aliases repeat a bounded number of nodes");
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
  require_bounded(*documents, text);
  fuzz::require(base::parse_yaml(text).has_value() == (documents->size() <= 1),
                "one document is what is read as one");
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
