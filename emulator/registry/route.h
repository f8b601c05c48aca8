// The paths of the distribution API as values.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hearth::registry {

struct Route {
  enum class Kind {
    kPing,       // /v2/
    kCatalog,    // /v2/_catalog
    kBlob,       // /v2/{name}/blobs/{digest}
    kUploads,    // /v2/{name}/blobs/uploads/
    kUpload,     // /v2/{name}/blobs/uploads/{id}
    kManifest,   // /v2/{name}/manifests/{tag or digest}
    kTags,       // /v2/{name}/tags/list
    kReferrers,  // /v2/{name}/referrers/{digest}
  } kind = Kind::kPing;
  std::string repository;
  std::string item;  // digest, id, tag

  bool operator==(const Route&) const = default;
};

// nullopt for a path that is none of the API's. The name is not checked here. A name may itself
// contain "blobs" or "manifests", so paths are read from their end.
std::optional<Route> parse_route(std::string_view path);

}  // namespace hearth::registry
