// The daemon's two HTTP interfaces as the commands use them: the Kubernetes API (HTTPS) and the
// broker's administration under /hearth/v1/ of the gateway.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "cli/daemon.h"
#include "cli/http_client.h"
#include "platform/base/json.h"
#include "platform/resource/object.h"

namespace hearth::cli {

inline constexpr std::string_view kAcceptJson = "application/json";
inline constexpr std::string_view kAcceptTable =
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

class ApiClient {
 public:
  explicit ApiClient(Daemon daemon);

  const Daemon& daemon() const { return daemon_; }

  Result<Json> get(const std::string& target, std::string_view accept = kAcceptJson);
  // PUT, POST and PATCH (as a merge patch), DELETE.
  Result<Json> send(const std::string& method, const std::string& target, const Json& body);
  // Calls `on_line` for each line of the answer until it ends or the callback returns false.
  // kDeadlineExceeded when the server is silent for `silence`.
  Status stream(const std::string& target, std::string_view accept,
                const std::function<bool(std::string_view)>& on_line,
                std::chrono::milliseconds silence = std::chrono::hours(24));
  // /hearth/v1/{path}
  Result<Json> administer(const std::string& method, const std::string& path);

 private:
  Daemon daemon_;
  HttpClient api_;
  HttpClient gateway_;
};

// /apis/{group}/{version}/namespaces/{ns}/{plural}[/{name}]; no namespace: all of them.
std::string path_of(const resource::Type& type, const std::string& ns,
                    const std::string& name = {});

// "a=b&c=d" with both sides percent-encoded; empty values are left out. Begins with "?" unless
// nothing is left.
std::string query_of(std::initializer_list<std::pair<std::string_view, std::string>> parameters);

}  // namespace hearth::cli
