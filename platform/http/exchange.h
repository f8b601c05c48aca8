// One request and its response on a server connection. Lives for the duration of the handler.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "platform/async/task.h"
#include "platform/base/result.h"
#include "platform/http/body_budget.h"
#include "platform/http/body_reader.h"
#include "platform/http/message.h"

namespace hearth::http {

// What a handler adds to the record of a request, for the access log.
struct RequestNotes {
  std::string revision;
  bool cold = false;
};

class Exchange {
 public:
  Exchange(Stream& stream, std::string& buffer, std::string& out);

  RequestHead& request() { return request_; }
  const RequestHead& request() const { return request_; }
  Stream& stream() { return stream_; }

  // The request's body; 0 bytes at the end. Sends "100 Continue" when the client waits for it.
  Task<Result<std::size_t>> read(char* data, std::size_t size);
  // Counts in the server's budget until the request is answered; kUnavailable when that is used up.
  Task<Result<std::string>> read_all(std::size_t bytes_max);
  std::optional<std::uint64_t> content_length() const;
  bool has_body() const { return parsed_.framing.kind != BodyFraming::Kind::kNone; }

  // A whole response. Content-Length is added; the body of an answer to HEAD is left out.
  Task<Status> respond(const ResponseHead& head, std::string_view body);
  Task<Status> respond(int status, std::string_view content_type, std::string_view body);

  // A response in pieces: begin, write…, finish. Without `length` it is sent chunked.
  Task<Status> begin(const ResponseHead& head, std::optional<std::uint64_t> length = {});
  Task<Status> write(std::string_view data);
  Task<Status> finish();

  // For protocols above HTTP (101 Switching Protocols): writes the head as it is and hands the
  // stream over; `buffered` gets what was read beyond the request.
  Task<Status> upgrade(const ResponseHead& head, std::string& buffered);

  bool responded() const { return phase_ != Phase::kWaiting; }
  bool finished() const { return phase_ == Phase::kFinished; }
  void close_after() { keep_alive_ = false; }

  // The record of the request: when its head was read, what was answered so far (0: nothing).
  std::chrono::steady_clock::time_point started() const { return started_; }
  int status() const { return status_; }
  std::uint64_t body_bytes_sent() const { return body_bytes_sent_; }
  RequestNotes& notes() { return notes_; }
  // The trace that the request belongs to. A request without a valid traceparent gets a new one
  // into its head, so that it travels on. A view of the head: until its next change.
  std::string_view trace_id();

 private:
  friend class ServerConnection;
  enum class Phase { kWaiting, kStreaming, kFinished };

  void start(ParsedHead parsed);
  void continue_before_head();
  bool owes_continue() const { return parsed_.expects_continue && !continue_sent_; }
  Task<Status> send_continue();
  bool needs_room(std::size_t bytes_max) const;
  Task<Status> make_room(std::size_t bytes_max);
  void format_head(const ResponseHead& head, std::optional<std::uint64_t> length);
  bool is_bodiless(int status) const;

  Stream& stream_;
  std::string& out_;
  RequestHead request_;
  ParsedHead parsed_;
  BodyReader reader_;
  BodyBudget* budget_ = nullptr;  // null: no bound
  BodyBudget::Room room_;
  Phase phase_ = Phase::kWaiting;
  bool keep_alive_ = true;
  bool chunked_ = false;
  bool send_body_ = true;
  bool continue_sent_ = false;
  std::optional<std::uint64_t> body_left_;
  std::chrono::steady_clock::time_point started_;
  int status_ = 0;
  std::uint64_t body_bytes_sent_ = 0;
  RequestNotes notes_;
};

}  // namespace hearth::http
