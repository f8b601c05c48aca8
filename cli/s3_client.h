// A blocking client of an S3 store for commands: signed requests in path style, bodies in
// pieces.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/http_client.h"
#include "cli/s3_location.h"
#include "platform/s3/sigv4.h"
#include "platform/s3/xml.h"

namespace hearth::cli {

struct S3Endpoint {
  std::string url;  // http://127.0.0.1:9000
  s3::Credentials credentials;
  std::string region = "us-east-1";
};

struct S3Part {
  int number = 0;
  std::string etag;
};

class S3Client {
 public:
  explicit S3Client(S3Endpoint endpoint);

  Result<std::vector<s3::ListedBucket>> buckets();
  Status make_bucket(const std::string& bucket);
  Status remove_bucket(const std::string& bucket);

  // Calls `visit` page by page until the last; a delimiter folds what is below it into prefixes.
  Status list(const S3Location& prefix, std::string_view delimiter,
              const std::function<Status(const s3::ListPage&)>& visit);
  // The same as one value.
  Result<std::vector<s3::ListedObject>> list_all(const S3Location& prefix);

  // kNotFound when there is no such object.
  Result<s3::ListedObject> head(const S3Location& object);
  Status get(const S3Location& object, const std::function<bool(std::string_view)>& on_bytes);
  Status put(const S3Location& object, std::string bytes, std::string_view content_type);
  // Within the store.
  Status copy(const S3Location& from, const S3Location& to);
  Status remove(const S3Location& object);

  Result<std::string> begin_upload(const S3Location& object, std::string_view content_type);
  Result<S3Part> put_part(const S3Location& object, const std::string& upload, int number,
                          std::string bytes);
  Status complete_upload(const S3Location& object, const std::string& upload,
                         const std::vector<S3Part>& parts);
  Status abort_upload(const S3Location& object, const std::string& upload);

  // A URL that needs no credentials until it expires.
  std::string presign(std::string_view method, const S3Location& object,
                      std::chrono::seconds expires) const;

 private:
  struct Call {
    std::string method = "GET";
    S3Location location = {};
    std::string query = {};
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string body = {};
    std::function<bool(std::string_view)> on_bytes = {};
  };
  // kNotFound, kForbidden, kConflict … of the store's answer, with its own words.
  Result<HttpReply> send(Call call);
  std::string target_of(const S3Location& location, const std::string& query) const;

  S3Endpoint endpoint_;
  std::string host_;
  HttpClient http_;
};

}  // namespace hearth::cli
