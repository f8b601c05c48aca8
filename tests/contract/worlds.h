// The worlds that the contract of resource::Store is held against: the embedded store itself, and
// the store of a cluster, whose cluster is the embedded one behind its HTTPS face.
#pragma once

#include <memory>
#include <string>

#include "emulator/apiserver/server.h"
#include "emulator/store/sqlite_store.h"
#include "kube-adapter/api_client.h"
#include "kube-adapter/remote_store.h"
#include "platform/async/loop.h"
#include "platform/http/server.h"
#include "platform/http/tls.h"

namespace hearth::contract {

enum class World { kEmbedded, kRemote };

std::string name_of_world(World world);

// A fresh, empty Kubernetes with the namespace "demo" and the LambdaFunction kind.
class Kubernetes {
 public:
  explicit Kubernetes(World world);
  ~Kubernetes();
  Kubernetes(const Kubernetes&) = delete;
  Kubernetes& operator=(const Kubernetes&) = delete;

  // The one under test; of the world's kind.
  resource::Store& store() { return *store_under_test_; }
  async::Loop& loop() { return loop_; }
  // Cuts all connections of the API's clients and serves on, at the same port. Remote only.
  void cut_connections();

  template <typename T>
  T wait(Task<T> task) {
    std::optional<T> out;
    loop_.run_blocking(into(std::move(task), out));
    return std::move(*out);
  }
  void run(Task<void> task) { loop_.run_blocking(std::move(task)); }

 private:
  template <typename T>
  static Task<void> into(Task<T> task, std::optional<T>& out) {
    out.emplace(co_await std::move(task));
  }
  void open_store();
  void open_api();
  void listen();
  Task<void> stop_server();

  std::string path_;
  base::SystemClock clock_;
  async::Loop loop_{"contract"};
  std::unique_ptr<sqlite::Writer> writer_;
  resource::DefinitionRegistry definitions_;
  std::unique_ptr<store::SqliteStore> embedded_;
  std::optional<http::TlsContext> tls_;
  std::unique_ptr<apiserver::ApiServer> api_;
  std::unique_ptr<http::Server> server_;
  std::uint16_t port_ = 0;
  std::unique_ptr<kube_adapter::ApiClient> client_;
  std::unique_ptr<kube_adapter::RemoteStore> remote_;
  resource::Store* store_under_test_ = nullptr;
};

}  // namespace hearth::contract
