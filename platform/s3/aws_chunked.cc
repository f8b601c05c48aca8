#include "platform/s3/aws_chunked.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/base/text.h"
#include "platform/s3/error_code.h"
#include "platform/s3/sigv4.h"

namespace hearth::s3 {
namespace {

constexpr std::size_t kChunkHeadBytesMax = 256;
constexpr std::size_t kTrailerBytesMax = 4096;
constexpr std::uint64_t kChunkBytesMin = 8192;  // of every signed chunk but the last
constexpr std::uint64_t kChunkBytesMax = 5ULL * 1024 * 1024 * 1024;

Error incomplete() {
  return s3_error("IncompleteBody",
                  "The request body terminated unexpectedly or is not valid aws-chunked encoding");
}

Error mismatch() {
  return s3_error("SignatureDoesNotMatch",
                  "The signature of a chunk does not match the one we calculated. Check your key "
                  "and signing method.");
}

Error malformed_trailer() {
  return s3_error("MalformedTrailerError",
                  "The request contained trailing data that was not well-formed or did not conform "
                  "to our published schema.");
}

}  // namespace

std::optional<ChunkedMode> chunked_mode(std::string_view payload_hash) {
  if (payload_hash == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD") return ChunkedMode::kSigned;
  if (payload_hash == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER") {
    return ChunkedMode::kSignedTrailer;
  }
  if (payload_hash == "STREAMING-UNSIGNED-PAYLOAD-TRAILER") return ChunkedMode::kUnsignedTrailer;
  return std::nullopt;
}

AwsChunkedDecoder::AwsChunkedDecoder(ChunkedMode mode, ChunkSigning signing)
    : mode_(mode), signing_(std::move(signing)) {}

Result<AwsChunkedDecoder::Step> AwsChunkedDecoder::decode(std::string_view input) {
  if (input.empty()) return Step{};
  switch (phase_) {
    case Phase::kHead:
      return decode_head(input);
    case Phase::kDataEnd:
      return decode_data_end(input);
    case Phase::kTrailers:
      return decode_trailer(input);
    case Phase::kDone:
      return decode_end(input);
    case Phase::kData:
      break;
  }
  const std::string_view data =
      input.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(input.size(), chunk_left_)));
  if (hasher_) hasher_->update(data);
  chunk_left_ -= data.size();
  if (chunk_left_ == 0) phase_ = Phase::kDataEnd;
  return Step{data, data.size()};
}

Result<AwsChunkedDecoder::Step> AwsChunkedDecoder::decode_head(std::string_view input) {
  const auto end = input.substr(0, kChunkHeadBytesMax).find("\r\n");
  if (end == input.npos) {
    if (input.size() >= kChunkHeadBytesMax) return fail(incomplete());
    return Step{};
  }
  HEARTH_CHECK_OK(parse_chunk_head(input.substr(0, end)));
  if (is_signed()) hasher_.emplace(base::HashAlgorithm::kSha256);
  if (chunk_size_ > 0) {
    phase_ = Phase::kData;
  } else {
    // The last chunk: its signature covers no data. What follows are trailers (or none).
    HEARTH_CHECK_OK(end_chunk());
    phase_ = Phase::kTrailers;
  }
  return Step{{}, end + 2};
}

Status AwsChunkedDecoder::parse_chunk_head(std::string_view line) {
  const auto semicolon = line.find(';');
  const auto size = base::parse_int<std::uint64_t>(line.substr(0, semicolon), 16);
  if (!size || *size > kChunkBytesMax) return fail(incomplete());
  if (is_signed()) {
    constexpr std::string_view kName = "chunk-signature=";
    const std::string_view extension =
        semicolon == line.npos ? std::string_view() : base::trim(line.substr(semicolon + 1));
    if (!extension.starts_with(kName)) return fail(incomplete());
    chunk_signature_ = extension.substr(kName.size());
    if (*size > 0 && had_small_chunk_) {
      return s3_fail("InvalidChunkSizeError",
                     "Only the last chunk is allowed to have a size less than 8192 bytes");
    }
    had_small_chunk_ = *size < kChunkBytesMin;
  }
  chunk_size_ = *size;
  chunk_left_ = *size;
  return {};
}

Result<AwsChunkedDecoder::Step> AwsChunkedDecoder::decode_data_end(std::string_view input) {
  if (input.size() < 2) return Step{};
  if (!input.starts_with("\r\n")) return fail(incomplete());
  HEARTH_CHECK_OK(end_chunk());
  phase_ = Phase::kHead;
  return Step{{}, 2};
}

Status AwsChunkedDecoder::end_chunk() {
  if (!is_signed()) return {};
  const std::string to_sign = fmt::format(
      "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{}\n{}", signing_.timestamp, signing_.scope,
      signing_.seed_signature, kEmptySha256, base::hex(hasher_->finish()));
  std::string expected = base::hex(base::hmac_sha256(signing_.key, to_sign));
  if (!base::equal_constant_time(expected, chunk_signature_)) return fail(mismatch());
  signing_.seed_signature = std::move(expected);
  return {};
}

Result<AwsChunkedDecoder::Step> AwsChunkedDecoder::decode_trailer(std::string_view input) {
  const auto end = input.find('\n');
  if (end == input.npos) {
    if (input.size() + trailer_bytes_ > kTrailerBytesMax) return fail(malformed_trailer());
    return Step{};
  }
  trailer_bytes_ += end + 1;
  if (trailer_bytes_ > kTrailerBytesMax) return fail(malformed_trailer());
  const std::string_view line = base::trim(input.substr(0, end));
  if (line.empty()) {
    // Some signers put an empty line before the trailer's signature, too.
    const bool awaits_signature =
        mode_ == ChunkedMode::kSignedTrailer && trailers_.size() > 0 && trailer_signature_.empty();
    if (!awaits_signature) HEARTH_CHECK_OK(end_trailers());
    return Step{{}, end + 1};
  }
  const auto colon = line.find(':');
  if (mode_ == ChunkedMode::kSigned || colon == line.npos || colon == 0) {
    return fail(malformed_trailer());
  }
  const std::string name = base::lower(base::trim(line.substr(0, colon)));
  const std::string_view value = base::trim(line.substr(colon + 1));
  if (name == "x-amz-trailer-signature") {
    trailer_signature_ = value;
  } else {
    trailers_.add(name, value);
    signed_trailers_.append(name).append(":").append(value).append("\n");
  }
  return Step{{}, end + 1};
}

// minio-go ends its trailers with an empty line more than others do; nothing else may follow.
Result<AwsChunkedDecoder::Step> AwsChunkedDecoder::decode_end(std::string_view input) {
  if (had_last_line_ || !std::string_view("\r\n").starts_with(input.substr(0, 2))) {
    return fail(incomplete());
  }
  if (input.size() < 2) return Step{};
  had_last_line_ = true;
  return Step{{}, 2};
}

Status AwsChunkedDecoder::end_trailers() {
  phase_ = Phase::kDone;
  if (mode_ != ChunkedMode::kSignedTrailer) return {};
  const std::string to_sign =
      fmt::format("AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}\n{}", signing_.timestamp, signing_.scope,
                  signing_.seed_signature, base::sha256_hex(signed_trailers_));
  const std::string expected = base::hex(base::hmac_sha256(signing_.key, to_sign));
  if (!base::equal_constant_time(expected, trailer_signature_)) return fail(mismatch());
  return {};
}

Status AwsChunkedDecoder::finish(std::string_view unread) {
  if (!unread.empty()) {
    return fail(phase_ == Phase::kTrailers ? malformed_trailer() : incomplete());
  }
  if (phase_ == Phase::kTrailers) return end_trailers();
  if (phase_ != Phase::kDone) return fail(incomplete());
  return {};
}

}  // namespace hearth::s3
