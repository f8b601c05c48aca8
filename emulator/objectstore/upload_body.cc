#include "emulator/objectstore/upload_body.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "emulator/objectstore/errors.h"
#include "platform/base/bytes.h"
#include "platform/base/grow.h"
#include "platform/base/text.h"
#include "platform/s3/error_code.h"

namespace hearth::objectstore {
namespace {

struct Expectations {
  std::uint64_t size = 0;
  std::string md5;     // raw; empty: not given
  std::string sha256;  // hex; empty: not given
  std::optional<s3::ChecksumAlgorithm> algorithm;
  std::string checksum;  // base64; empty: comes in the trailer, or none was sent
  bool checksum_in_trailer = false;
};

Result<std::uint64_t> declared_size(const Call& call, bool chunked) {
  std::optional<std::uint64_t> size;
  if (chunked) {
    size = base::parse_int<std::uint64_t>(call.header("x-amz-decoded-content-length"));
  } else if (call.headers().contains("content-length")) {
    size = base::parse_int<std::uint64_t>(call.header("content-length"));
  }
  if (!size) {
    return s3::s3_fail("MissingContentLength", "You must provide the Content-Length HTTP header.");
  }
  if (*size > kUploadBytesMax) {
    return s3::s3_fail("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size",
                       {{"ProposedSize", std::to_string(*size)},
                        {"MaxSizeAllowed", std::to_string(kUploadBytesMax)}});
  }
  return *size;
}

Status read_checksum_headers(const Call& call, Expectations& out) {
  for (const auto field : call.headers()) {
    const auto algorithm = s3::checksum_of_header(field.name);
    if (!algorithm) continue;
    if (out.algorithm) {
      return fail(invalid_request(
          "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."));
    }
    if (!s3::is_checksum_value(*algorithm, field.value)) {
      return fail(
          invalid_request("Value for " + s3::checksum_header(*algorithm) + " header is invalid."));
    }
    out.algorithm = algorithm;
    out.checksum = field.value;
  }
  if (const auto trailer = call.headers().get("x-amz-trailer"); trailer && !out.algorithm) {
    out.algorithm = s3::checksum_of_header(base::trim(*trailer));
    out.checksum_in_trailer = out.algorithm.has_value();
    if (!out.algorithm) {
      return fail(
          invalid_request("The value specified in the x-amz-trailer header is not "
                          "supported"));
    }
  }
  if (!out.algorithm && call.headers().contains("x-amz-sdk-checksum-algorithm")) {
    return fail(invalid_request(
        "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
        "x-amz-trailer headers were found."));
  }
  return {};
}

Result<Expectations> read_expectations(const Call& call, bool chunked) {
  Expectations out;
  HEARTH_TRY(size, declared_size(call, chunked));
  out.size = size;
  if (const auto md5 = call.headers().get("content-md5")) {
    const auto raw = base::from_base64(*md5);
    if (!raw || raw->size() != 16) {
      return s3::s3_fail("InvalidDigest", "The Content-MD5 you specified was invalid.",
                         {{"Content-MD5", *md5}});
    }
    out.md5 = *raw;
  }
  const std::string& hash = call.identity().payload_hash;
  if (!chunked && hash != s3::kUnsignedPayload) out.sha256 = hash;
  HEARTH_CHECK_OK(read_checksum_headers(call, out));
  return out;
}

// Hashes and keeps what arrives.
class Sink {
 public:
  Sink(Services& services, const Expectations& expected, const ReceiveOptions& options)
      : algorithm_(expected.algorithm ? expected.algorithm : options.fallback) {
    in_memory_ = expected.size <= options.inline_bytes_max;
    if (in_memory_) bytes_.reserve(static_cast<std::size_t>(expected.size));
    if (algorithm_) checksum_.emplace(*algorithm_);
    blobs_ = &services.blobs;
  }

  Status open() {
    if (in_memory_) return {};
    auto writer = blobs_->create();
    if (!writer) return fail(writer.error());
    writer_.emplace(std::move(*writer));
    return {};
  }

  Status append(std::string_view data) {
    size_ += data.size();
    md5_.update(data);
    if (checksum_) checksum_->update(data);
    if (writer_) return writer_->append(data);
    bytes_.append(data);
    return {};
  }

  std::uint64_t size() const { return size_; }

  // Everything but the SHA-256, which for blobs is known at their commit.
  Status check(const Expectations& expected, std::string_view trailer_checksum) {
    const std::string md5 = md5_.finish();
    if (!expected.md5.empty() && md5 != expected.md5) {
      return s3::s3_fail(
          "BadDigest", "The Content-MD5 you specified did not match what we received.",
          {{"ExpectedDigest", base::hex(expected.md5)}, {"CalculatedDigest", base::hex(md5)}});
    }
    md5_hex_ = base::hex(md5);
    if (!checksum_) return {};
    checksum_value_ = checksum_->finish();
    const std::string_view wanted =
        expected.checksum_in_trailer ? trailer_checksum : std::string_view(expected.checksum);
    if (expected.checksum_in_trailer && !s3::is_checksum_value(*algorithm_, wanted)) {
      return s3::s3_fail("MalformedTrailerError",
                         "The request contained trailing data that was not well-formed or did not "
                         "conform to our published schema.");
    }
    if (!wanted.empty() && wanted != checksum_value_) {
      return s3::s3_fail("BadDigest", "The " + std::string(s3::checksum_name(*algorithm_)) +
                                          " you specified did not match the calculated checksum.");
    }
    return {};
  }

  Task<Result<ReceivedBody>> finish(const Expectations& expected) {
    ReceivedBody out{.bytes = std::move(bytes_),
                     .digest = {},
                     .size = size_,
                     .md5 = std::move(md5_hex_),
                     .algorithm = algorithm_,
                     .checksum = std::move(checksum_value_)};
    std::string sha256;
    if (writer_) {
      HEARTH_CO_TRY(blob, co_await writer_->commit());
      sha256 = blob.digest;
      out.digest = std::move(blob.digest);
    } else if (!expected.sha256.empty()) {
      sha256 = base::sha256_hex(out.bytes);
    }
    if (!expected.sha256.empty() && sha256 != expected.sha256) {
      // A blob linked by now is referred to by nothing: garbage collection takes it.
      co_return s3::s3_fail(
          "XAmzContentSHA256Mismatch",
          "The provided 'x-amz-content-sha256' header does not match what was "
          "computed.",
          {{"ClientComputedContentSHA256", expected.sha256}, {"S3ComputedContentSHA256", sha256}});
    }
    co_return out;
  }

 private:
  blobs::BlobStore* blobs_ = nullptr;
  bool in_memory_ = true;
  std::optional<blobs::BlobWriter> writer_;
  std::string bytes_;
  std::uint64_t size_ = 0;
  base::Hasher md5_{base::HashAlgorithm::kMd5};
  std::string md5_hex_;
  std::optional<s3::ChecksumAlgorithm> algorithm_;
  std::optional<s3::ChecksumHasher> checksum_;
  std::string checksum_value_;
};

std::unexpected<Error> incomplete(std::uint64_t expected, std::uint64_t got) {
  return s3::s3_fail("IncompleteBody",
                     "You did not provide the number of bytes specified by the Content-Length HTTP "
                     "header",
                     {{"NumberBytesExpected", std::to_string(expected)},
                      {"NumberBytesProvided", std::to_string(got)}});
}

Task<Status> pump_plain(Call& call, Sink& sink, std::uint64_t size) {
  const std::size_t piece =
      static_cast<std::size_t>(std::clamp<std::uint64_t>(size, 1, kTransferBytes));
  const auto buffer = std::make_unique_for_overwrite<char[]>(piece);
  while (sink.size() < size) {
    // Whole pieces: one write to the file and one pass of each hash for many reads.
    std::size_t filled = 0;
    while (filled < piece && sink.size() + filled < size) {
      const auto got = co_await call.read_body(buffer.get() + filled, piece - filled);
      if (!got || *got == 0) co_return incomplete(size, sink.size() + filled);
      filled += *got;
    }
    HEARTH_CO_CHECK_OK(sink.append({buffer.get(), filled}));
  }
  co_return Status();
}

// Runs the decoder over what is in `waiting` and drops what it used.
Status drain_chunks(s3::AwsChunkedDecoder& decoder, std::string& waiting, Sink& sink,
                    std::uint64_t size) {
  std::size_t used = 0;
  while (used < waiting.size()) {
    auto step = decoder.decode(std::string_view(waiting).substr(used));
    if (!step) return fail(step.error());
    if (step->consumed == 0) break;
    used += step->consumed;
    if (sink.size() + step->data.size() > size) {
      return incomplete(size, sink.size() + step->data.size());
    }
    if (!step->data.empty()) HEARTH_CHECK_OK(sink.append(step->data));
  }
  waiting.erase(0, used);
  return {};
}

Task<Status> pump_chunked(Call& call, s3::AwsChunkedDecoder& decoder, Sink& sink,
                          std::uint64_t size) {
  const std::size_t piece =
      static_cast<std::size_t>(std::clamp<std::uint64_t>(size, 4096, kTransferBytes));
  std::string waiting;
  while (true) {
    const std::size_t before = waiting.size();
    base::grow(waiting, piece);
    const auto got = co_await call.read_body(waiting.data() + before, piece);
    waiting.resize(before + (got ? *got : 0));
    if (!got) co_return incomplete(size, sink.size());
    if (*got == 0) break;
    HEARTH_CO_CHECK_OK(drain_chunks(decoder, waiting, sink, size));
  }
  HEARTH_CO_CHECK_OK(decoder.finish(waiting));
  if (sink.size() != size) co_return incomplete(size, sink.size());
  co_return Status();
}

}  // namespace

Task<Result<ReceivedBody>> receive_body(Services& services, Call& call, ReceiveOptions options) {
  const auto mode = s3::chunked_mode(call.identity().payload_hash);
  HEARTH_CO_TRY(expected, read_expectations(call, mode.has_value()));
  Sink sink(services, expected, options);
  HEARTH_CO_CHECK_OK(sink.open());
  std::string trailer;
  if (mode) {
    s3::AwsChunkedDecoder decoder(*mode, call.identity().chunk_signing);
    HEARTH_CO_CHECK_OK(co_await pump_chunked(call, decoder, sink, expected.size));
    if (expected.checksum_in_trailer) {
      trailer = decoder.trailers().get_or(s3::checksum_header(*expected.algorithm), "");
    }
  } else {
    HEARTH_CO_CHECK_OK(co_await pump_plain(call, sink, expected.size));
  }
  HEARTH_CO_CHECK_OK(sink.check(expected, trailer));
  co_return co_await sink.finish(expected);
}

Task<Result<std::string>> receive_document(Services& services, Call& call) {
  if (const auto length = call.exchange().content_length(); length && *length > kDocumentBytesMax) {
    co_return s3::s3_fail("MalformedXML",
                          "The XML you provided was not well-formed or did not validate against "
                          "our published schema");
  }
  if (!call.exchange().has_body()) co_return std::string();
  HEARTH_CO_TRY(
      body, co_await receive_body(
                services, call, {.inline_bytes_max = kDocumentBytesMax, .fallback = std::nullopt}));
  if (!body.digest.empty()) {
    co_return s3::s3_fail("MalformedXML", "The XML you provided is too long");
  }
  co_return std::move(body.bytes);
}

}  // namespace hearth::objectstore
