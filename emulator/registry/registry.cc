#include "emulator/registry/registry.h"

#include <fmt/format.h>

#include "emulator/registry/errors.h"
#include "platform/base/json.h"
#include "platform/base/text.h"
#include "platform/http/exchange.h"
#include "platform/oci/reference.h"

namespace hearth::registry {
namespace {

constexpr std::size_t kPageItemsMax = 1000;

// n and last of the two lists; nullopt when n is no number.
std::optional<PageRequest> page_request(const std::vector<http::QueryParameter>& query) {
  PageRequest out{.last = std::string(query_value(query, "last")), .items_max = kPageItemsMax};
  const std::string_view n = query_value(query, "n");
  if (n.empty()) return out;
  const auto number = base::parse_int<std::uint32_t>(n);
  if (!number) return std::nullopt;
  out.items_max = std::min<std::size_t>(*number, kPageItemsMax);
  return out;
}

}  // namespace

std::string_view query_value(const std::vector<http::QueryParameter>& query,
                             std::string_view name) {
  for (const http::QueryParameter& item : query) {
    if (item.name == name) return item.value;
  }
  return {};
}

Registry::Registry(async::Loop& loop, sqlite::Writer& writer, sqlite::Database database,
                   const blobs::BlobStore& blobs, const base::Clock& clock)
    : loop_(loop),
      writer_(writer),
      database_(std::move(database)),
      blobs_(blobs),
      clock_(clock),
      uploads_(clock) {}

Result<std::unique_ptr<Registry>> Registry::open(async::Loop& loop, sqlite::Writer& writer,
                                                 const std::filesystem::path& database_file,
                                                 const blobs::BlobStore& blobs,
                                                 const base::Clock& clock) {
  HEARTH_TRY(database, sqlite::Database::open(database_file, sqlite::OpenMode::kReadOnly));
  return std::unique_ptr<Registry>(new Registry(loop, writer, std::move(database), blobs, clock));
}

std::int64_t Registry::now() const {
  return std::chrono::duration_cast<std::chrono::seconds>(clock_.wall().time_since_epoch()).count();
}

namespace {

bool has_repository(Route::Kind kind) {
  return kind != Route::Kind::kPing && kind != Route::Kind::kCatalog;
}

}  // namespace

Task<void> Registry::handle(http::Exchange& exchange) {
  const auto route = parse_route(exchange.request().path());
  const auto query = http::parse_query(exchange.request().query());
  // A failed answer means that the client has gone; its connection ends by itself.
  if (!route || !query) {
    co_await respond_error(exchange, WireError::kNameUnknown, "no such path");
  } else if (has_repository(route->kind) && !oci::is_repository_name(route->repository)) {
    co_await respond_error(exchange, WireError::kNameInvalid,
                           fmt::format("\"{}\" is no repository name", route->repository));
  } else {
    co_await dispatch(exchange, *route, *query);
  }
}

Task<Status> Registry::dispatch(http::Exchange& exchange, Route route, Query query) {
  const std::string& method = exchange.request().method;
  const bool reads = method == "GET" || method == "HEAD";
  switch (route.kind) {
    case Route::Kind::kPing: {
      http::ResponseHead head;
      head.headers.add("Content-Type", "application/json");
      head.headers.add("Docker-Distribution-Api-Version", "registry/2.0");
      co_return co_await exchange.respond(head, "{}");
    }
    case Route::Kind::kCatalog:
    case Route::Kind::kTags:
      if (reads) co_return co_await list(exchange, std::move(route), std::move(query));
      break;
    case Route::Kind::kBlob:
      co_return co_await blob(exchange, std::move(route));
    case Route::Kind::kUploads:
      if (method == "POST") {
        co_return co_await start_upload(exchange, std::move(route), std::move(query));
      }
      break;
    case Route::Kind::kUpload:
      co_return co_await upload(exchange, std::move(route), std::move(query));
    case Route::Kind::kManifest:
      co_return co_await manifest(exchange, std::move(route), std::move(query));
    case Route::Kind::kReferrers:
      if (reads) co_return co_await send_referrers(exchange, std::move(route), std::move(query));
      break;
  }
  co_return co_await respond_error(exchange, WireError::kUnsupported,
                                   fmt::format("{} is not possible here", method));
}

Task<Status> Registry::list(http::Exchange& exchange, Route route, Query query) {
  const bool tags = route.kind == Route::Kind::kTags;
  const auto request = page_request(query);
  if (!request) {
    co_return co_await respond_error(exchange, WireError::kPaginationNumberInvalid,
                                     "n is a number from 0");
  }
  const auto known = tags ? has_repository(database_, route.repository) : Result<bool>(true);
  if (known && !*known) {
    co_return co_await respond_error(exchange, WireError::kNameUnknown, "no such repository");
  }
  const auto page = tags ? list_tags(database_, route.repository, *request)
                         : list_repositories(database_, *request);
  if (!page) co_return co_await respond_error(exchange, WireError::kUnknown, page.error().message);
  http::ResponseHead head;
  head.headers.add("Content-Type", "application/json");
  if (page->more && !page->items.empty()) {
    head.headers.add("Link",
                     fmt::format("<{}?n={}&last={}>; rel=\"next\"", exchange.request().path(),
                                 request->items_max, base::percent_encode(page->items.back())));
  }
  const Json body = tags ? Json{{"name", route.repository}, {"tags", page->items}}
                         : Json{{"repositories", page->items}};
  co_return co_await exchange.respond(head, base::dump_json(body));
}

Result<StoredManifest> Registry::find_manifest(std::string_view repository,
                                               std::string_view reference) {
  return registry::find_manifest(database_, repository, reference);
}

Result<std::set<std::string, std::less<>>> Registry::live_digests() {
  return registry::live_digests(database_);
}

Task<Result<std::int64_t>> Registry::drop_unreferenced(std::chrono::seconds grace) {
  co_return co_await writer_.write<std::int64_t>(
      [before = now() - grace.count()](sqlite::Database& database) {
        return registry::drop_unreferenced(database, before);
      });
}

}  // namespace hearth::registry
