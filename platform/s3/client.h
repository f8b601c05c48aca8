// A small signed S3 client for the platform's own needs: sources of functions, whole small objects,
// listings. Path style. Errors: NoSuchKey and NoSuchBucket are kNotFound and name bucket and key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/base/result.h"
#include "platform/http/client.h"
#include "platform/s3/sigv4.h"

namespace hearth::s3 {

struct ClientOptions {
  http::Url endpoint;
  Credentials credentials;  // an empty access key: requests are anonymous
  std::string region = "us-east-1";
  // Where to connect instead of the endpoint's host.
  std::optional<http::Endpoint> connect_to;
};

struct ObjectInfo {
  std::string key;
  std::string etag;  // without quotes
  std::uint64_t size = 0;
};

class Client {
 public:
  // `http` and `clock` outlive the client.
  Client(http::Client& http, base::Clock& clock, ClientOptions options);

  // kTooLarge when the object is longer than `bytes_max`.
  Task<Result<std::string>> get_object(std::string bucket, std::string key, std::size_t bytes_max);
  // All objects under the prefix, page by page; kTooLarge over 100,000.
  Task<Result<std::vector<ObjectInfo>>> list(std::string bucket, std::string prefix);
  Task<Status> put_object(std::string bucket, std::string key, std::string bytes,
                          std::string content_type);
  // Success also when there was no such object.
  Task<Status> delete_object(std::string bucket, std::string key);
  // Success also when the caller has that bucket already.
  Task<Status> create_bucket(std::string bucket);

 private:
  struct Call {
    std::string method;
    std::string bucket;
    std::string key;
    std::string query;
    std::string body;
    std::string content_type;
    std::size_t response_bytes_max = 1024 * 1024;
  };
  Task<Result<std::string>> send(Call call);

  http::Client& http_;
  base::Clock& clock_;
  ClientOptions options_;
};

}  // namespace hearth::s3
