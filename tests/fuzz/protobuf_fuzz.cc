// Kubernetes objects as protobuf: what is decoded is an object of JSON within its bounds.
#include "emulator/apiserver/protobuf.h"
#include "tests/fuzz/fuzz.h"

namespace hearth {
namespace {

// One varint of a packed list is a number of up to 20 digits; names of fields are short.
constexpr std::size_t kTextPerByteMax = 64;

}  // namespace
}  // namespace hearth

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  const auto object = apiserver::decode_kubernetes_protobuf(fuzz::view(data, size));
  if (!object) {
    fuzz::require_reason(object.error());
    fuzz::require(
        object.error().code == Code::kBadRequest || object.error().code == Code::kUnsupported,
        "a refusal is the client's fault");
    return 0;
  }
  fuzz::require(!base::string_at(*object, {"apiVersion"}).empty() &&
                    !base::string_at(*object, {"kind"}).empty(),
                "an object has apiVersion and kind");
  const std::string text = base::dump_json(*object);
  fuzz::require(text.size() <= (size + 64) * kTextPerByteMax, "the result is bounded by the body");
  const auto again = base::parse_json(text);
  fuzz::require(again && *again == *object, "the result is JSON that can be stored");
  return 0;
}
