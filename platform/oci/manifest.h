// Image manifests, indexes and configurations as values, read from and written to the JSON of the
// OCI image specification 1.1. Docker's schema 2 documents have the same shape under other media
// types. Schema 1 is refused.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/json.h"
#include "platform/oci/digest.h"

namespace hearth::oci {

inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kOciLayerTar = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kOciLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kDockerManifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerIndex =
    "application/vnd.docker.distribution.manifest.list.v2+json";

bool is_manifest_type(std::string_view media_type);  // OCI or Docker, one image
bool is_index_type(std::string_view media_type);
// Foreign layers live elsewhere and need not be in the registry.
bool is_foreign_layer_type(std::string_view media_type);

using Annotations = std::map<std::string, std::string>;

struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;
  bool operator==(const Platform&) const = default;
};

struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;
  Annotations annotations;
  std::string artifact_type;
  std::optional<Platform> platform;
  bool operator==(const Descriptor&) const = default;
};

struct Manifest {
  std::string media_type{kOciManifest};
  std::string artifact_type;
  std::optional<Descriptor> config;
  std::vector<Descriptor> layers;
  std::optional<Descriptor> subject;
  Annotations annotations;
};

struct Index {
  std::string media_type{kOciIndex};
  std::string artifact_type;
  std::vector<Descriptor> manifests;
  std::optional<Descriptor> subject;
  Annotations annotations;
};

struct History {
  std::string created_by;
  bool empty_layer = false;
};

struct ImageConfig {
  std::string architecture = "amd64";
  std::string os = "linux";
  std::vector<std::string> env;  // "NAME=value", in order
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::vector<std::string> shell;
  std::vector<std::string> exposed_ports;  // "8080/tcp"
  std::vector<std::string> volumes;
  std::map<std::string, std::string> labels;
  std::string working_dir;
  std::string user;
  std::string stop_signal;
  Json healthcheck;  // null when there is none
  std::vector<Digest> diff_ids;
  std::vector<History> history;
};

// Errors are kInvalid and name the field.
Result<Manifest> parse_manifest(std::string_view json);
Result<Index> parse_index(std::string_view json);
Result<ImageConfig> parse_config(std::string_view json);

// Keys sorted, no white space, times at the epoch: equal values give equal bytes.
std::string dump(const Manifest& manifest);
std::string dump(const Index& index);
std::string dump(const ImageConfig& config);
Json to_json(const Descriptor& descriptor);

// GOARCH of this machine: "amd64", "arm64", ….
std::string_view host_architecture();

}  // namespace hearth::oci
