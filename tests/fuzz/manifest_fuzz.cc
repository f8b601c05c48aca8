// Image manifests, indexes, configurations and references: what is parsed is written and parsed the
// same.
#include "platform/oci/manifest.h"
#include "platform/oci/reference.h"
#include "tests/fuzz/fuzz.h"

namespace hearth {
namespace {

using fuzz::require;

template <typename Parse>
void check_document(std::string_view text, Parse parse) {
  const auto document = parse(text);
  if (!document) return fuzz::require_reason(document.error());
  const std::string written = oci::dump(*document);
  const auto again = parse(written);
  require(again.has_value(), "a written document is one");
  require(oci::dump(*again) == written, "the same document after a round trip");
}

void check_reference(std::string_view text) {
  const auto reference = oci::parse_reference(text);
  if (!reference) return fuzz::require_reason(reference.error());
  require(oci::is_repository_name(reference->repository), "a repository has a name");
  require(reference->tag.empty() || oci::is_tag(reference->tag), "a tag is one");
  require(!reference->version().empty(), "a reference has a version");
  const auto again = oci::parse_reference(reference->text());
  require(again && *again == *reference, "the same reference after a round trip");
}

}  // namespace
}  // namespace hearth

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  const std::string_view text = fuzz::view(data, size);
  check_document(text, oci::parse_manifest);
  check_document(text, oci::parse_index);
  check_document(text, oci::parse_config);
  check_reference(text);
  return 0;
}
