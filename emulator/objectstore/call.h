// One S3 request: where it goes, who sent it, and short ways to its parameters and its answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/async/task.h"
#include "platform/base/result.h"
#include "platform/http/exchange.h"
#include "platform/s3/aws_chunked.h"
#include "platform/s3/sigv4.h"

namespace hearth::objectstore {

class Call {
 public:
  Call(http::Exchange& exchange, std::string request_id);

  // Finds bucket, key and query: path style, or virtual-host style below `domain`. InvalidURI.
  Status route(std::string_view domain);

  http::Exchange& exchange() { return exchange_; }
  const http::RequestHead& request() const { return exchange_.request(); }
  const http::Headers& headers() const { return exchange_.request().headers; }
  std::string_view method() const { return exchange_.request().method; }
  const std::string& request_id() const { return request_id_; }
  std::uint64_t body_bytes_read() const { return body_bytes_read_; }
  const std::string& bucket() const { return bucket_; }
  const std::string& key() const { return key_; }
  const std::vector<http::QueryParameter>& query() const { return query_; }
  // "/bucket/key", for error documents.
  std::string resource() const;

  // True for "?uploads" and "?uploads=".
  bool has(std::string_view parameter) const { return parameter_of(parameter).has_value(); }
  std::optional<std::string_view> parameter_of(std::string_view name) const;
  std::string_view parameter(std::string_view name) const;  // empty when absent
  std::string_view header(std::string_view name) const { return headers().get_or(name, ""); }

  // Who signed, and how the body's bytes are vouched for.
  struct Identity {
    std::string access_key;
    std::string payload_hash;
    s3::ChunkSigning chunk_signing;
  };
  Identity& identity() { return identity_; }
  const Identity& identity() const { return identity_; }

  // The request's body; 0 bytes at the end.
  Task<Result<std::size_t>> read_body(char* data, std::size_t size);
  // Reads on and drops what a refused request still sends, up to a limit: a client that is cut off
  // while it sends does not see the answer. One that waits for "100 Continue" gets it at once.
  Task<void> drop_body();

  // A head with the request's id and the server's name.
  http::ResponseHead head(int status) const;
  Task<Status> respond(int status, std::string body = {});
  Task<Status> respond_xml(std::string document);
  Task<Status> respond_error(Error error);

 private:
  http::Exchange& exchange_;
  std::string request_id_;
  std::string bucket_;
  std::string key_;
  std::vector<http::QueryParameter> query_;
  Identity identity_;
  bool body_begun_ = false;
  std::uint64_t body_bytes_read_ = 0;
};

}  // namespace hearth::objectstore
