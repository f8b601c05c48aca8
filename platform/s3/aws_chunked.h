// Decoder of aws-chunked bodies: chunks with or without signatures, with or without trailers.
//
// Strict and bounded: a chunk is never buffered, only its head line and the trailers are, up to
// their limits. Data is handed out before its chunk's signature is checked; callers publish nothing
// until done().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "platform/base/hash.h"
#include "platform/base/result.h"
#include "platform/http/message.h"

namespace hearth::s3 {

enum class ChunkedMode { kSigned, kSignedTrailer, kUnsignedTrailer };

// The mode of an x-amz-content-sha256 value; nullopt when the body is not aws-chunked.
std::optional<ChunkedMode> chunked_mode(std::string_view payload_hash);

// What chunk signatures go on from: the request's key, time, scope and signature.
struct ChunkSigning {
  std::string key;
  std::string timestamp;
  std::string scope;
  std::string seed_signature;
};

class AwsChunkedDecoder {
 public:
  // `signing` is not used in unsigned mode.
  AwsChunkedDecoder(ChunkedMode mode, ChunkSigning signing);

  struct Step {
    std::string_view data;     // points into the input
    std::size_t consumed = 0;  // 0: more input is needed (or done)
  };
  // One step over `input`, which starts at the first byte not consumed yet.
  Result<Step> decode(std::string_view input);
  bool done() const { return phase_ == Phase::kDone; }
  // The input ended; `unread` is what decode() left of it. Trailers may end there without their
  // empty line, a line may not.
  Status finish(std::string_view unread);
  const http::Headers& trailers() const { return trailers_; }

 private:
  enum class Phase { kHead, kData, kDataEnd, kTrailers, kDone };

  Result<Step> decode_head(std::string_view input);
  Result<Step> decode_data_end(std::string_view input);
  Result<Step> decode_trailer(std::string_view input);
  Result<Step> decode_end(std::string_view input);
  Status parse_chunk_head(std::string_view line);
  Status end_chunk();
  Status end_trailers();
  bool is_signed() const { return mode_ != ChunkedMode::kUnsignedTrailer; }

  ChunkedMode mode_;
  ChunkSigning signing_;
  Phase phase_ = Phase::kHead;
  std::uint64_t chunk_size_ = 0;
  std::uint64_t chunk_left_ = 0;
  bool had_small_chunk_ = false;
  bool had_last_line_ = false;
  std::string chunk_signature_;
  std::optional<base::Hasher> hasher_;
  http::Headers trailers_;
  std::size_t trailer_bytes_ = 0;
  std::string signed_trailers_;
  std::string trailer_signature_;
};

}  // namespace hearth::s3
