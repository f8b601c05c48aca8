// What a request's path names: a collection, an object, a subresource.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.h"
#include "platform/http/message.h"

namespace hearth::apiserver {

struct ApiPath {
  std::string group;
  std::string version;
  std::string ns;
  std::string plural;
  std::string name;
  std::string subresource;
  bool legacy_watch = false;  // /api/v1/watch/…
};

// "/api/v1/…" or "/apis/G/V/…"; nullopt when the path has another shape. kBadRequest on a bad
// percent escape.
Result<std::optional<ApiPath>> parse_api_path(std::string_view path);

// The query of API requests. Booleans follow Go: absent, "0" and "false" are false, all else true.
class Query {
 public:
  static Result<Query> parse(std::string_view text);
  std::string get(std::string_view name) const;
  bool has(std::string_view name) const;
  bool flag(std::string_view name) const;
  std::optional<std::int64_t> integer(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;

 private:
  std::vector<http::QueryParameter> parameters_;
};

}  // namespace hearth::apiserver
