#include "emulator/apiserver/reads.h"

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::apiserver {

using namespace resource;

Task<void> get_object(Request& request) {
  auto object = co_await request.backend.store.get(request.type(), request.key());
  co_await send_result(request, 200, std::move(object));
}

namespace {

// Which version a list asks for.
struct VersionWish {
  std::uint64_t version = 0;
  bool exact = false;
};

Result<VersionWish> version_wish(const Query& query) {
  const std::string text = query.get("resourceVersion");
  const std::string match = query.get("resourceVersionMatch");
  if (!match.empty() && text.empty()) {
    return fail(Code::kInvalid,
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless "
                "resourceVersion is provided");
  }
  if (!match.empty() && match != "Exact" && match != "NotOlderThan") {
    return fail(Code::kInvalid, fmt::format("resourceVersionMatch: Unsupported value: \"{}\": "
                                            "supported values: \"Exact\", \"NotOlderThan\"",
                                            match));
  }
  const auto version =
      text.empty() ? std::optional<std::uint64_t>(0) : base::parse_int<std::uint64_t>(text);
  if (!version) return fail(Code::kBadRequest, "resourceVersion is no number: " + text);
  const bool exact = match == "Exact";
  if (exact && *version == 0) {
    return fail(Code::kInvalid,
                "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for "
                "resourceVersion \"0\"");
  }
  if (query.has("continue") && *version != 0) {
    return fail(Code::kBadRequest,
                "specifying resource version is not allowed when using continue");
  }
  return VersionWish{*version, exact};
}

Task<Result<List>> read_list(Request& request) {
  HEARTH_CO_TRY(wish, version_wish(request.query));
  const auto limit = request.query.integer("limit").value_or(0);
  const ListOptions options{.ns = request.path.ns,
                            .label_selector = request.query.get("labelSelector"),
                            .field_selector = request.query.get("fieldSelector"),
                            .limit = limit > 0 ? static_cast<std::size_t>(limit) : 0,
                            .continue_token = request.query.get("continue"),
                            .exact_version = wish.exact ? wish.version : 0};
  HEARTH_CO_CHECK_OK(check_field_selector(*request.definition, options.field_selector));
  // Every write is seen here before its writer is answered: a version that isn't known is nobody's.
  HEARTH_CO_TRY(list, co_await request.backend.store.list(request.type(), options));
  if (wish.version > list.resource_version) {
    co_return fail(Code::kDeadlineExceeded,
                   fmt::format("Too large resource version: {}, current: {}", wish.version,
                               list.resource_version));
  }
  co_return list;
}

}  // namespace

Task<void> list_objects(Request& request) {
  auto list = co_await read_list(request);
  if (!list) {
    co_return co_await send_error(request.exchange, list.error(), request.definition.get());
  }
  Json metadata{{"resourceVersion", std::to_string(list->resource_version)}};
  if (!list->continue_token.empty()) metadata["continue"] = list->continue_token;
  if (list->remaining > 0) metadata["remainingItemCount"] = list->remaining;
  Json body;
  if (wants_table(request.exchange)) {
    for (ObjectPtr& item : list->items) item = in_version(item, request.type());
    body = table_of(*request.definition, list->items, include_object(request.query),
                    request.backend.clock.wall());
    body["metadata"] = std::move(metadata);
  } else {
    const bool partial = wants_metadata(request.exchange);
    body = {{"kind", partial ? "PartialObjectMetadataList" : request.definition->list_kind},
            {"apiVersion", partial ? "meta.k8s.io/v1" : request.type().api_version()},
            {"metadata", std::move(metadata)},
            {"items", Json::array()}};
    for (const ObjectPtr& item : list->items) {
      body["items"].push_back(partial ? metadata_only(*item) : *in_version(item, request.type()));
    }
  }
  co_await send_json(request.exchange, 200, body);
}

}  // namespace hearth::apiserver
