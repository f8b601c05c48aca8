// aws-chunked bodies. The first byte chooses: 0 to 2 decode the rest in one of the three modes,
// whole and in pieces; 3 and 4 sign the rest as a client does and damage one byte of it.
#include <algorithm>

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/base/hash.h"
#include "platform/s3/aws_chunked.h"
#include "platform/s3/sigv4.h"
#include "tests/fuzz/fuzz.h"

namespace hearth {
namespace {

using fuzz::require;
using s3::ChunkedMode;

const s3::ChunkSigning kSigning{.key = "the key of the request",
                                .timestamp = "20261121T030405Z",
                                .scope = "20261121/us-east-1/s3/aws4_request",
                                .seed_signature = std::string(64, 'a')};

struct Outcome {
  std::string body;
  bool complete = false;
  bool refused = false;
};

Outcome decode(ChunkedMode mode, std::string_view coded, std::size_t piece) {
  s3::AwsChunkedDecoder decoder(mode, kSigning);
  Outcome out;
  std::size_t arrived = 0;
  std::size_t used = 0;
  while (!decoder.done()) {
    const std::string_view input = coded.substr(used, arrived - used);
    const auto step = decoder.decode(input);
    if (!step) {
      fuzz::require_reason(step.error());
      out.refused = true;
      return out;
    }
    require(step->consumed <= input.size(), "no more is consumed than there is");
    require(step->data.size() <= step->consumed, "no more is yielded than is consumed");
    out.body += step->data;
    used += step->consumed;
    if (step->consumed > 0) continue;
    if (arrived == coded.size()) break;
    arrived = std::min(coded.size(), arrived + piece);
  }
  const Status end = decoder.finish(coded.substr(used));
  if (!end) fuzz::require_reason(end.error());
  out.complete = end.has_value();
  return out;
}

std::string sign_chunk(std::string& seed, std::string_view data) {
  const std::string to_sign =
      fmt::format("AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{}\n{}", kSigning.timestamp,
                  kSigning.scope, seed, s3::kEmptySha256, base::sha256_hex(data));
  seed = base::hex(base::hmac_sha256(kSigning.key, to_sign));
  return fmt::format("{:x};chunk-signature={}\r\n", data.size(), seed);
}

std::string encode_signed(std::string_view body, bool with_trailer) {
  std::string seed = kSigning.seed_signature;
  std::string out;
  if (!body.empty()) out.append(sign_chunk(seed, body)).append(body).append("\r\n");
  out += sign_chunk(seed, {});
  if (!with_trailer) return out + "\r\n";
  const std::string trailer = fmt::format("x-amz-checksum-crc32:{}\n", body.size());
  const std::string to_sign =
      fmt::format("AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}\n{}", kSigning.timestamp, kSigning.scope,
                  seed, base::sha256_hex(trailer));
  return out + trailer +
         "x-amz-trailer-signature:" + base::hex(base::hmac_sha256(kSigning.key, to_sign)) +
         "\r\n\r\n";
}

void check_coded(ChunkedMode mode, std::string_view coded, std::size_t piece) {
  const Outcome whole = decode(mode, coded, coded.size() + 1);
  const Outcome pieces = decode(mode, coded, piece);
  require(whole.complete == pieces.complete && whole.refused == pieces.refused,
          "the verdict depends on the bytes alone");
  require(!whole.complete || whole.body == pieces.body, "the body depends on the bytes alone");
}

void check_signed(std::string_view body, bool with_trailer, std::size_t damage) {
  const ChunkedMode mode = with_trailer ? ChunkedMode::kSignedTrailer : ChunkedMode::kSigned;
  std::string coded = encode_signed(body, with_trailer);
  const Outcome intact = decode(mode, coded, 1000);
  require(intact.complete && intact.body == body, "what a client signs is taken");
  coded[damage * 7919 % coded.size()] ^= 1;
  const Outcome damaged = decode(mode, coded, 1000);
  require(!damaged.complete || damaged.body == body, "a damaged body is never taken");
}

}  // namespace
}  // namespace hearth

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  constexpr ChunkedMode kModes[] = {ChunkedMode::kUnsignedTrailer, ChunkedMode::kSigned,
                                    ChunkedMode::kSignedTrailer};
  std::string_view rest = fuzz::view(data, size);
  const std::size_t choice = fuzz::take_choice(rest, 5);
  const std::size_t number = fuzz::take_choice(rest, 200) + 1;
  if (choice < std::size(kModes)) {
    check_coded(kModes[choice], rest, number);
  } else {
    check_signed(rest, choice == 4, number);
  }
  return 0;
}
