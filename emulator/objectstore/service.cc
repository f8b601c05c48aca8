#include "emulator/objectstore/service.h"

#include <algorithm>

#include "emulator/objectstore/authenticate.h"
#include "emulator/objectstore/call.h"
#include "emulator/objectstore/dispatch.h"
#include "emulator/objectstore/errors.h"
#include "emulator/objectstore/meta_store.h"
#include "emulator/objectstore/schema.h"
#include "platform/base/random_id.h"
#include "platform/base/text.h"
#include "platform/http/exchange.h"
#include "platform/telemetry/log.h"

namespace hearth::objectstore {
namespace {
constexpr telemetry::Log kLog("objectstore");

base::WallTime time_of(std::int64_t ms) { return base::WallTime(std::chrono::milliseconds(ms)); }

std::string new_request_id() {
  std::string id = base::random_hex(8);
  for (char& c : id) c = static_cast<char>(c >= 'a' ? c - 'a' + 'A' : c);
  return id;
}
}  // namespace

std::string iso_time(std::int64_t ms) { return base::format_rfc3339_millis(time_of(ms)); }
std::string http_time(std::int64_t ms) { return base::format_http_date(time_of(ms)); }

struct ObjectStore::State {
  Services services;
  Authenticator authenticator;
  std::string domain;
  std::unique_ptr<Metrics> metrics = std::make_unique<Metrics>();

  Task<Status> serve(Call& call);
  Task<void> answer(Call& call);
};

const std::span<const std::string_view> ObjectStore::kMigrations = kSchemaSteps;

ObjectStore::ObjectStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
ObjectStore::~ObjectStore() = default;

Result<std::unique_ptr<ObjectStore>> ObjectStore::open(
    async::Loop& /*loop*/, sqlite::Writer& writer, const std::filesystem::path& database,
    blobs::BlobStore& blobs, async::BlockingPool& pool, base::Clock& clock, Options options) {
  HEARTH_TRY(reader, sqlite::Database::open(database, sqlite::OpenMode::kReadOnly));
  HEARTH_TRY(last_data_id, meta::last_data_id(reader));
  return std::unique_ptr<ObjectStore>(new ObjectStore(
      std::make_unique<State>(State{.services = {.writer = writer,
                                                 .reader = std::move(reader),
                                                 .blobs = blobs,
                                                 .pool = pool,
                                                 .clock = clock,
                                                 .region = options.region,
                                                 .on_event = {},
                                                 .last_data_id = last_data_id},
                                    .authenticator = {.secrets = std::move(options.credentials),
                                                      .region = std::move(options.region),
                                                      .cache = {}},
                                    .domain = base::lower(options.domain)})));
}

void ObjectStore::on_event(std::function<void(const ObjectEvent&)> hook) {
  state_->services.on_event = std::move(hook);
}

Result<std::unordered_set<std::string>> ObjectStore::live_digests() {
  return meta::live_digests(state_->services.reader);
}

Task<Status> ObjectStore::State::serve(Call& call) {
  HEARTH_CO_CHECK_OK(call.route(domain));
  HEARTH_CO_CHECK_OK(authenticator.authenticate(call, services.clock.wall()));
  HEARTH_CO_TRY(operation, choose_operation(call));
  co_return co_await operation(services, call);
}

void ObjectStore::set_credentials(std::unordered_map<std::string, std::string> credentials) {
  // Signing keys are kept by access key: a secret that changed must not find its old one.
  state_->authenticator.cache = {};
  state_->authenticator.secrets = std::move(credentials);
}

const Metrics& ObjectStore::metrics() const { return *state_->metrics; }

Task<void> ObjectStore::handle(http::Exchange& exchange) {
  Call call(exchange, new_request_id());
  co_await state_->answer(call);
  Metrics& metrics = *state_->metrics;
  const auto* method = std::ranges::find(Metrics::kMethods, call.method());
  const auto index = std::min<std::size_t>(
      static_cast<std::size_t>(method - Metrics::kMethods.begin()), Metrics::kMethods.size() - 1);
  metrics.requests[index].observe(exchange.status() == 0 ? 499 : exchange.status(),
                                  std::chrono::steady_clock::now() - exchange.started());
  metrics.bytes_received.add(call.body_bytes_read());
  metrics.bytes_sent.add(exchange.body_bytes_sent());
}

Task<void> ObjectStore::State::answer(Call& call) {
  http::Exchange& exchange = call.exchange();
  const Status served = co_await serve(call);
  if (served) co_return;
  const Error& error = served.error();
  const int status = wire_error(error).status;
  if (status >= 500 && status != 501) {
    kLog.warn("request_failed", {{"request_id", call.request_id()},
                                 {"method", call.method()},
                                 {"resource", call.resource()},
                                 {"trace_id", exchange.trace_id()},
                                 {"code", code_name(error.code)},
                                 {"error", error.message}});
  }
  if (exchange.responded()) {
    exchange.close_after();
    co_return;
  }
  co_await call.drop_body();
  co_await call.respond_error(error);
}

}  // namespace hearth::objectstore
