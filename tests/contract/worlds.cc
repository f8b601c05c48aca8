#include "tests/contract/worlds.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "emulator/apiserver/certificates.h"
#include "platform/base/embedded_files.h"
#include "platform/base/random_id.h"
#include "platform/base/yaml.h"
#include "platform/lambda/function_validation.h"
#include "platform/resource/well_known.h"

namespace hearth::contract {

using namespace resource;

namespace {

constexpr const char* kToken = "contract-token";

Task<Status> no_logs(ObjectPtr, apiserver::LogOptions, apiserver::LogSink) { co_return Status(); }

Task<void> prepare(store::SqliteStore& store) {
  EXPECT_TRUE(store.load());
  EXPECT_TRUE(co_await store.create(kNamespaces, new_object(kNamespaces, {"", "demo"}), {}));
  const auto crd = base::embedded_file("config/crds/lambda.knative.io_lambdafunctions.yaml");
  EXPECT_TRUE(
      co_await store.create(kCustomResourceDefinitions, base::parse_yaml(*crd).value(), {}));
}

}  // namespace

std::string name_of_world(World world) { return world == World::kEmbedded ? "Embedded" : "Remote"; }

Kubernetes::Kubernetes(World world)
    : path_(testing::TempDir() + "contract-" + base::random_hex(6)) {
  std::filesystem::create_directories(path_);
  loop_.start();
  run([](Kubernetes& self, World w) -> Task<void> {
    self.open_store();
    co_await prepare(*self.embedded_);
    if (w == World::kRemote) self.open_api();
  }(*this, world));
  store_under_test_ = world == World::kRemote ? static_cast<Store*>(remote_.get())
                                              : static_cast<Store*>(embedded_.get());
}

void Kubernetes::open_store() {
  const std::string file = path_ + "/hearth.db";
  auto database = sqlite::Database::open(file, sqlite::OpenMode::kReadWrite).value();
  EXPECT_TRUE(sqlite::migrate(database, "store", store::kMigrations));
  writer_ = std::make_unique<sqlite::Writer>(std::move(database));
  definitions_.set_admission(kFunctions.group, kFunctions.plural, lambda::admit_function);
  embedded_ = std::make_unique<store::SqliteStore>(
      loop_, *writer_, sqlite::Database::open(file, sqlite::OpenMode::kReadOnly).value(),
      definitions_, clock_);
}

void Kubernetes::listen() {
  server_ = std::make_unique<http::Server>(
      loop_, "api", [this](http::Exchange& exchange) { return api_->handle(exchange); }, &*tls_);
  port_ = server_->listen({.port = port_}).value();
}

void Kubernetes::open_api() {
  const auto certificates = apiserver::load_or_create_certificates(path_ + "/pki", {}).value();
  tls_.emplace(http::TlsContext::server(certificates.server.certificate_pem,
                                        certificates.server.key_pem,
                                        certificates.authority.certificate_pem)
                   .value());
  api_ = std::make_unique<apiserver::ApiServer>(
      *embedded_, definitions_, clock_, no_logs,
      apiserver::ServerOptions{.token = kToken, .server_address = {}});
  listen();
  kube_adapter::ClusterAccess access;
  access.server = {.scheme = "https", .host = "127.0.0.1", .port = port_};
  access.ca_pem = certificates.authority.certificate_pem;
  access.token = kToken;
  client_ = kube_adapter::ApiClient::create(loop_, clock_, std::move(access)).value();
  // Small pages, so that every list of more than three objects has several.
  remote_ = std::make_unique<kube_adapter::RemoteStore>(
      *client_, kube_adapter::RemoteStoreOptions{.page_size = 3});
}

Task<void> Kubernetes::stop_server() {
  if (server_) co_await server_->shutdown(std::chrono::milliseconds(1));
  server_.reset();
}

void Kubernetes::cut_connections() {
  run([](Kubernetes& self) -> Task<void> {
    co_await self.stop_server();
    self.listen();
  }(*this));
}

Kubernetes::~Kubernetes() {
  run([](Kubernetes& self) -> Task<void> {
    co_await self.stop_server();
    co_await self.embedded_->stop();
    self.remote_.reset();
    self.client_.reset();
    self.embedded_.reset();
  }(*this));
  writer_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace hearth::contract
