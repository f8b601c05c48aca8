// Reads the body behind a head: fixed length, chunked or until the peer closes. Bytes that came
// with the head are taken from the buffer first; a fixed-length body is read straight into its
// destination.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "platform/async/task.h"
#include "platform/base/limits.h"
#include "platform/base/result.h"
#include "platform/http/chunked.h"
#include "platform/http/head_parser.h"

namespace hearth::http {

class Stream;

// How long a peer may be silent within a body, and when all of it must have come.
struct BodyPatience {
  std::chrono::milliseconds stall = limits::kBodyStallTimeout;
  std::chrono::steady_clock::time_point end = std::chrono::steady_clock::time_point::max();
};

class BodyReader {
 public:
  // `buffer` holds what was read from the stream and not used yet; both outlive this reader.
  BodyReader(Stream& stream, std::string& buffer) : stream_(stream), buffer_(buffer) {}

  void start(BodyFraming framing);
  void be_patient(BodyPatience patience) { patience_ = patience; }
  // Some bytes; 0 at the end. A body that ends early is kBadRequest.
  Task<Result<std::size_t>> read(char* data, std::size_t size);
  bool done() const { return done_; }
  // Bytes left when known (fixed length), for deciding whether draining is worth it.
  std::uint64_t bytes_left() const { return left_; }
  BodyFraming framing() const { return framing_; }

 private:
  void expect_bytes();
  Task<Result<std::size_t>> read_fixed(char* data, std::size_t size);
  Task<Result<std::size_t>> read_chunked(char* data, std::size_t size);
  Task<Result<std::size_t>> fill_buffer();

  Stream& stream_;
  std::string& buffer_;
  BodyFraming framing_;
  BodyPatience patience_;
  ChunkedDecoder decoder_;
  std::uint64_t left_ = 0;
  bool done_ = true;
};

// All of the body; kTooLarge when it is over `bytes_max`.
Task<Result<std::string>> read_all(BodyReader& reader, std::size_t bytes_max);

}  // namespace hearth::http
