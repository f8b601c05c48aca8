#include "emulator/registry/route.h"

#include "platform/base/text.h"

namespace hearth::registry {
namespace {

// "name/blobs/x" cut before its last `count` components.
struct Tail {
  std::string_view name;
  std::vector<std::string_view> parts;
};

std::optional<Tail> cut(std::string_view path, std::size_t count) {
  Tail out;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return std::nullopt;
    out.parts.insert(out.parts.begin(), path.substr(slash + 1));
    path = path.substr(0, slash);
  }
  out.name = path;
  return out;
}

Route route(Route::Kind kind, std::string_view name, std::string_view item = {}) {
  return {.kind = kind, .repository = std::string(name), .item = std::string(item)};
}

}  // namespace

std::optional<Route> parse_route(std::string_view encoded) {
  const auto decoded = base::percent_decode(encoded);
  if (!decoded) return std::nullopt;
  std::string_view path = *decoded;
  if (path == "/v2" || path == "/v2/") return Route{};
  if (!path.starts_with("/v2/")) return std::nullopt;
  path.remove_prefix(4);
  if (path == "_catalog") return route(Route::Kind::kCatalog, {});
  if (path.ends_with("/blobs/uploads")) {
    return route(Route::Kind::kUploads, path.substr(0, path.size() - 14));
  }
  if (const auto tail = cut(path, 3);
      tail && tail->parts[0] == "blobs" && tail->parts[1] == "uploads") {
    if (tail->parts[2].empty()) return route(Route::Kind::kUploads, tail->name);
    return route(Route::Kind::kUpload, tail->name, tail->parts[2]);
  }
  const auto tail = cut(path, 2);
  if (!tail || tail->parts[1].empty()) return std::nullopt;
  if (tail->parts[0] == "blobs") return route(Route::Kind::kBlob, tail->name, tail->parts[1]);
  if (tail->parts[0] == "manifests") {
    return route(Route::Kind::kManifest, tail->name, tail->parts[1]);
  }
  if (tail->parts[0] == "referrers") {
    return route(Route::Kind::kReferrers, tail->name, tail->parts[1]);
  }
  if (tail->parts[0] == "tags" && tail->parts[1] == "list") {
    return route(Route::Kind::kTags, tail->name);
  }
  return std::nullopt;
}

}  // namespace hearth::registry
