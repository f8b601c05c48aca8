// The chunked coding: the first byte says in which pieces the rest arrives. However it is cut, the
// body and the verdict are the same, and no step yields more than it consumes.
#include <algorithm>

#include "platform/http/chunked.h"
#include "tests/fuzz/fuzz.h"

namespace hearth {
namespace {

using fuzz::require;

struct Outcome {
  std::string body;
  bool done = false;
  bool refused = false;
};

// Feeds `coded` in pieces of `piece` bytes and takes at most `data_max` bytes of body a step.
Outcome decode(std::string_view coded, std::size_t piece, std::size_t data_max) {
  http::ChunkedDecoder decoder;
  Outcome out;
  std::size_t arrived = 0;
  std::size_t used = 0;
  while (!decoder.done()) {
    const std::string_view input = coded.substr(used, arrived - used);
    const auto step = decoder.decode(input, data_max);
    if (!step) {
      fuzz::require_reason(step.error());
      out.refused = true;
      return out;
    }
    require(step->consumed <= input.size(), "no more is consumed than there is");
    require(step->data.size() <= step->consumed, "no more is yielded than is consumed");
    require(step->data.size() <= data_max, "no more is yielded than is asked for");
    out.body += step->data;
    used += step->consumed;
    if (step->consumed > 0) continue;
    if (arrived == coded.size()) return out;
    arrived = std::min(coded.size(), arrived + piece);
  }
  out.done = true;
  return out;
}

std::string encode(std::string_view body) {
  std::string out;
  const std::string_view halves[] = {body.substr(0, body.size() / 2), body.substr(body.size() / 2)};
  for (const std::string_view part : halves) {
    if (!part.empty()) out.append(http::chunk_head(part.size())).append(part).append("\r\n");
  }
  return out + "0\r\n\r\n";
}

}  // namespace
}  // namespace hearth

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  std::string_view coded = fuzz::view(data, size);
  const std::size_t piece = fuzz::take_choice(coded, 64) + 1;
  const Outcome whole = decode(coded, coded.size() + 1, 64 * 1024);
  const Outcome pieces = decode(coded, piece, piece * 3);
  fuzz::require(whole.done == pieces.done && whole.refused == pieces.refused,
                "the verdict depends on the bytes alone");
  fuzz::require(!whole.done || whole.body == pieces.body, "the body depends on the bytes alone");
  if (!whole.done) return 0;
  const Outcome again = decode(encode(whole.body), piece, 64 * 1024);
  fuzz::require(again.done && again.body == whole.body, "the same body after a round trip");
  return 0;
}
