#include "platform/oci/manifest.h"

#include <filesystem>

#include <fmt/format.h>

namespace hearth::oci {
namespace {

constexpr std::string_view kEpoch = "1970-01-01T00:00:00Z";

Annotations annotations_of(const Json& value) {
  Annotations out;
  const Json* found = base::find(value, {"annotations"});
  if (found == nullptr || !found->is_object()) return out;
  for (const auto& [key, text] : found->items()) {
    if (text.is_string()) out[key] = text.get<std::string>();
  }
  return out;
}

Result<Descriptor> parse_descriptor(const Json& value, std::string_view field) {
  if (!value.is_object()) return fail(Code::kInvalid, fmt::format("{} is no descriptor", field));
  auto digest = Digest::parse(base::string_at(value, {"digest"}));
  if (!digest) return fail(with_context(digest.error(), fmt::format("{}.digest", field)));
  const auto size = base::int_at(value, {"size"});
  if (!size || *size < 0) return fail(Code::kInvalid, fmt::format("{}.size is missing", field));
  Descriptor out{.media_type = base::string_at(value, {"mediaType"}),
                 .digest = *digest,
                 .size = static_cast<std::uint64_t>(*size),
                 .annotations = annotations_of(value),
                 .artifact_type = base::string_at(value, {"artifactType"}),
                 .platform = std::nullopt};
  if (base::find(value, {"platform"}) != nullptr) {
    out.platform = Platform{.os = base::string_at(value, {"platform", "os"}),
                            .architecture = base::string_at(value, {"platform", "architecture"}),
                            .variant = base::string_at(value, {"platform", "variant"})};
  }
  return out;
}

Result<std::vector<Descriptor>> parse_descriptors(const Json& value, const char* field) {
  std::vector<Descriptor> out;
  const Json* found = base::find(value, {field});
  if (found == nullptr || found->is_null()) return out;
  if (!found->is_array()) return fail(Code::kInvalid, fmt::format("{} is no list", field));
  for (const Json& item : *found) {
    HEARTH_TRY(descriptor, parse_descriptor(item, fmt::format("{}[{}]", field, out.size())));
    out.push_back(std::move(descriptor));
  }
  return out;
}

Result<std::optional<Descriptor>> parse_optional(const Json& value, const char* field) {
  const Json* found = base::find(value, {field});
  if (found == nullptr || found->is_null()) return std::optional<Descriptor>();
  HEARTH_TRY(descriptor, parse_descriptor(*found, field));
  return std::optional<Descriptor>(std::move(descriptor));
}

Result<Json> parse_document(std::string_view text) {
  HEARTH_TRY(json, base::parse_json(text));
  if (!json.is_object()) return fail(Code::kInvalid, "a manifest is a JSON object");
  if (base::int_at(json, {"schemaVersion"}) != 2) {
    return fail(Code::kInvalid, "schemaVersion must be 2");
  }
  return json;
}

std::vector<std::string> strings_at(const Json& value,
                                    std::initializer_list<std::string_view> path) {
  std::vector<std::string> out;
  const Json* found = base::find(value, path);
  if (found == nullptr || !found->is_array()) return out;
  for (const Json& item : *found) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

// Sets as Docker writes them: {"8080/tcp": {}}.
std::vector<std::string> keys_at(const Json& value, std::initializer_list<std::string_view> path) {
  std::vector<std::string> out;
  const Json* found = base::find(value, path);
  if (found == nullptr || !found->is_object()) return out;
  for (const auto& [key, unused] : found->items()) out.push_back(key);
  return out;
}

Json key_set(const std::vector<std::string>& keys) {
  Json out = Json::object();
  for (const std::string& key : keys) out[key] = Json::object();
  return out;
}

Json run_config(const ImageConfig& config) {
  Json out = Json::object();
  if (!config.env.empty()) out["Env"] = config.env;
  if (!config.entrypoint.empty()) out["Entrypoint"] = config.entrypoint;
  if (!config.cmd.empty()) out["Cmd"] = config.cmd;
  if (!config.shell.empty()) out["Shell"] = config.shell;
  if (!config.exposed_ports.empty()) out["ExposedPorts"] = key_set(config.exposed_ports);
  if (!config.volumes.empty()) out["Volumes"] = key_set(config.volumes);
  if (!config.labels.empty()) out["Labels"] = config.labels;
  if (!config.working_dir.empty()) out["WorkingDir"] = config.working_dir;
  if (!config.user.empty()) out["User"] = config.user;
  if (!config.stop_signal.empty()) out["StopSignal"] = config.stop_signal;
  if (!config.healthcheck.is_null()) out["Healthcheck"] = config.healthcheck;
  return out;
}

// Absolute, without "." and "..": it is joined to folders of this machine.
std::string normal_folder(const std::string& path) {
  if (path.empty()) return {};
  std::string out = std::filesystem::path("/" + path).lexically_normal().string();
  out.erase(0, out.find_first_not_of('/'));
  while (out.ends_with('/')) out.pop_back();
  return "/" + out;
}

void parse_run_config(const Json& json, ImageConfig& out) {
  out.env = strings_at(json, {"config", "Env"});
  out.entrypoint = strings_at(json, {"config", "Entrypoint"});
  out.cmd = strings_at(json, {"config", "Cmd"});
  out.shell = strings_at(json, {"config", "Shell"});
  out.exposed_ports = keys_at(json, {"config", "ExposedPorts"});
  out.volumes = keys_at(json, {"config", "Volumes"});
  out.working_dir = normal_folder(base::string_at(json, {"config", "WorkingDir"}));
  out.user = base::string_at(json, {"config", "User"});
  out.stop_signal = base::string_at(json, {"config", "StopSignal"});
  if (const Json* check = base::find(json, {"config", "Healthcheck"})) out.healthcheck = *check;
  if (const Json* labels = base::find(json, {"config", "Labels"}); labels && labels->is_object()) {
    for (const auto& [key, text] : labels->items()) {
      if (text.is_string()) out.labels[key] = text.get<std::string>();
    }
  }
}

}  // namespace

bool is_manifest_type(std::string_view media_type) {
  return media_type == kOciManifest || media_type == kDockerManifest;
}

bool is_index_type(std::string_view media_type) {
  return media_type == kOciIndex || media_type == kDockerIndex;
}

bool is_foreign_layer_type(std::string_view media_type) {
  return media_type.contains(".nondistributable.") || media_type.contains(".foreign.");
}

Result<Manifest> parse_manifest(std::string_view text) {
  HEARTH_TRY(json, parse_document(text));
  Manifest out;
  out.media_type = base::string_at(json, {"mediaType"}, kOciManifest);
  out.artifact_type = base::string_at(json, {"artifactType"});
  out.annotations = annotations_of(json);
  HEARTH_TRY(config, parse_optional(json, "config"));
  if (!config) return fail(Code::kInvalid, "config is missing");
  HEARTH_TRY(layers, parse_descriptors(json, "layers"));
  HEARTH_TRY(subject, parse_optional(json, "subject"));
  out.config = std::move(config);
  out.layers = std::move(layers);
  out.subject = std::move(subject);
  return out;
}

Result<Index> parse_index(std::string_view text) {
  HEARTH_TRY(json, parse_document(text));
  Index out;
  out.media_type = base::string_at(json, {"mediaType"}, kOciIndex);
  out.artifact_type = base::string_at(json, {"artifactType"});
  out.annotations = annotations_of(json);
  HEARTH_TRY(manifests, parse_descriptors(json, "manifests"));
  HEARTH_TRY(subject, parse_optional(json, "subject"));
  out.manifests = std::move(manifests);
  out.subject = std::move(subject);
  return out;
}

Result<ImageConfig> parse_config(std::string_view text) {
  HEARTH_TRY(json, base::parse_json(text));
  if (!json.is_object()) return fail(Code::kInvalid, "an image configuration is a JSON object");
  ImageConfig out;
  out.architecture = base::string_at(json, {"architecture"});
  out.os = base::string_at(json, {"os"});
  parse_run_config(json, out);
  for (const std::string& id : strings_at(json, {"rootfs", "diff_ids"})) {
    HEARTH_TRY(digest, Digest::parse(id));
    out.diff_ids.push_back(digest);
  }
  if (const Json* history = base::find(json, {"history"}); history && history->is_array()) {
    for (const Json& item : *history) {
      out.history.push_back({.created_by = base::string_at(item, {"created_by"}),
                             .empty_layer = base::bool_at(item, {"empty_layer"}).value_or(false)});
    }
  }
  return out;
}

Json to_json(const Descriptor& descriptor) {
  Json out = {{"mediaType", descriptor.media_type},
              {"digest", descriptor.digest.text()},
              {"size", descriptor.size}};
  if (!descriptor.annotations.empty()) out["annotations"] = descriptor.annotations;
  if (!descriptor.artifact_type.empty()) out["artifactType"] = descriptor.artifact_type;
  if (descriptor.platform) {
    out["platform"] = {{"os", descriptor.platform->os},
                       {"architecture", descriptor.platform->architecture}};
    if (!descriptor.platform->variant.empty()) {
      out["platform"]["variant"] = descriptor.platform->variant;
    }
  }
  return out;
}

std::string dump(const Manifest& manifest) {
  Json out = {{"schemaVersion", 2}, {"mediaType", manifest.media_type}, {"layers", Json::array()}};
  if (!manifest.artifact_type.empty()) out["artifactType"] = manifest.artifact_type;
  if (manifest.config) out["config"] = to_json(*manifest.config);
  for (const Descriptor& layer : manifest.layers) out["layers"].push_back(to_json(layer));
  if (manifest.subject) out["subject"] = to_json(*manifest.subject);
  if (!manifest.annotations.empty()) out["annotations"] = manifest.annotations;
  return base::dump_json(out);
}

std::string dump(const Index& index) {
  Json out = {{"schemaVersion", 2}, {"mediaType", index.media_type}, {"manifests", Json::array()}};
  if (!index.artifact_type.empty()) out["artifactType"] = index.artifact_type;
  for (const Descriptor& item : index.manifests) out["manifests"].push_back(to_json(item));
  if (index.subject) out["subject"] = to_json(*index.subject);
  if (!index.annotations.empty()) out["annotations"] = index.annotations;
  return base::dump_json(out);
}

std::string dump(const ImageConfig& config) {
  Json diff_ids = Json::array();
  for (const Digest& id : config.diff_ids) diff_ids.push_back(id.text());
  Json history = Json::array();
  for (const History& item : config.history) {
    Json entry = {{"created", kEpoch}, {"created_by", item.created_by}};
    if (item.empty_layer) entry["empty_layer"] = true;
    history.push_back(std::move(entry));
  }
  return base::dump_json({{"created", kEpoch},
                          {"architecture", config.architecture},
                          {"os", config.os},
                          {"config", run_config(config)},
                          {"rootfs", {{"type", "layers"}, {"diff_ids", std::move(diff_ids)}}},
                          {"history", std::move(history)}});
}

std::string_view host_architecture() {
#if defined(__x86_64__)
  return "amd64";
#elif defined(__aarch64__)
  return "arm64";
#elif defined(__arm__)
  return "arm";
#elif defined(__riscv)
  return "riscv64";
#else
  return "unknown";
#endif
}

}  // namespace hearth::oci
