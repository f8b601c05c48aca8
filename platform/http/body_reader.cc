#include "platform/http/body_reader.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include "platform/base/grow.h"
#include "platform/http/stream.h"

namespace hearth::http {

void BodyReader::start(BodyFraming framing) {
  framing_ = framing;
  left_ = framing.length;
  done_ = framing.kind == BodyFraming::Kind::kNone;
  decoder_ = ChunkedDecoder();
}

void BodyReader::expect_bytes() {
  auto wait = patience_.stall;
  if (patience_.end != std::chrono::steady_clock::time_point::max()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        patience_.end - std::chrono::steady_clock::now());
    wait = std::clamp(left, std::chrono::milliseconds(0), wait);
  }
  stream_.expire_after(wait);
}

Task<Result<std::size_t>> BodyReader::read(char* data, std::size_t size) {
  if (done_) co_return std::size_t{0};
  expect_bytes();
  if (framing_.kind == BodyFraming::Kind::kChunked) co_return co_await read_chunked(data, size);
  co_return co_await read_fixed(data, size);
}

Task<Result<std::size_t>> BodyReader::read_fixed(char* data, std::size_t size) {
  const bool until_close = framing_.kind == BodyFraming::Kind::kUntilClose;
  if (!until_close) size = static_cast<std::size_t>(std::min<std::uint64_t>(size, left_));
  std::size_t got = 0;
  if (!buffer_.empty()) {
    got = std::min(size, buffer_.size());
    std::memcpy(data, buffer_.data(), got);
    buffer_.erase(0, got);
  } else {
    HEARTH_CO_TRY(read, co_await stream_.read_some(data, size));
    got = read;
  }
  if (got == 0) {
    done_ = true;
    if (until_close) co_return std::size_t{0};
    co_return fail(Code::kBadRequest, fmt::format("body ended {} bytes early", left_));
  }
  if (!until_close) {
    left_ -= got;
    done_ = left_ == 0;
  }
  co_return got;
}

Task<Result<std::size_t>> BodyReader::read_chunked(char* data, std::size_t size) {
  while (true) {
    HEARTH_CO_TRY(step, decoder_.decode(buffer_, size));
    const std::size_t got = step.data.size();
    if (got > 0) std::memcpy(data, step.data.data(), got);
    buffer_.erase(0, step.consumed);
    if (got > 0) co_return got;
    if (decoder_.done()) {
      done_ = true;
      co_return std::size_t{0};
    }
    if (step.consumed > 0) continue;
    HEARTH_CO_TRY(filled, co_await fill_buffer());
    if (filled == 0) co_return fail(Code::kBadRequest, "chunked body ended early");
  }
}

Task<Result<std::size_t>> BodyReader::fill_buffer() {
  constexpr std::size_t kPiece = 32 * 1024;
  const std::size_t before = buffer_.size();
  base::grow(buffer_, kPiece);
  auto got = co_await stream_.read_some(buffer_.data() + before, kPiece);
  buffer_.resize(before + (got ? *got : 0));
  co_return got;
}

Task<Result<std::string>> read_all(BodyReader& reader, std::size_t bytes_max) {
  std::string out;
  const auto too_large = [&] {
    return fail(Code::kTooLarge, fmt::format("body is over the limit of {} bytes", bytes_max));
  };
  if (reader.bytes_left() > bytes_max) co_return too_large();
  out.reserve(static_cast<std::size_t>(reader.bytes_left()));
  while (!reader.done()) {
    const std::size_t before = out.size();
    const std::size_t piece = std::min<std::size_t>(
        reader.bytes_left() > 0 ? static_cast<std::size_t>(reader.bytes_left()) : 16 * 1024,
        1024 * 1024);
    base::grow(out, piece);
    auto got = co_await reader.read(out.data() + before, piece);
    out.resize(before + (got ? *got : 0));
    if (!got) co_return fail(got.error());
    if (out.size() > bytes_max) co_return too_large();
  }
  co_return out;
}

}  // namespace hearth::http
