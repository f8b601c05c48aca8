#include "emulator/apiserver/kubeconfig.h"

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/base/yaml.h"

namespace hearth::apiserver {
namespace {

Json* named(Json& list, const std::string& name) {
  if (!list.is_array()) list = Json::array();
  for (Json& item : list) {
    if (base::string_at(item, {"name"}) == name) return &item;
  }
  return nullptr;
}

void put(Json& config, const char* list, const Json& entry) {
  if (Json* known = named(config[list], base::string_at(entry, {"name"})))
    *known = entry;
  else
    config[list].push_back(entry);
}

}  // namespace

std::string kubeconfig_text(const KubeconfigValues& values) {
  return base::dump_yaml({
      {"apiVersion", "v1"},
      {"kind", "Config"},
      {"preferences", Json::object()},
      {"clusters",
       {{{"name", values.name},
         {"cluster",
          {{"server", values.server},
           {"certificate-authority-data", base::base64(values.ca_pem)}}}}}},
      {"users", {{{"name", values.name}, {"user", {{"token", values.token}}}}}},
      {"contexts",
       {{{"name", values.name}, {"context", {{"cluster", values.name}, {"user", values.name}}}}}},
      {"current-context", values.name},
  });
}

Result<std::string> merge_kubeconfig(const std::string& existing, const std::string& ours,
                                     bool force) {
  HEARTH_TRY(config, base::parse_yaml(existing));
  HEARTH_TRY(wanted, base::parse_yaml(ours));
  if (config.is_null()) return ours;
  if (!config.is_object()) return fail(Code::kInvalid, "the kubeconfig is no mapping");
  const Json& cluster = wanted["clusters"][0];
  const std::string name = cluster["name"];
  const Json* known = named(config["clusters"], name);
  if (known != nullptr && !force) {
    const std::string server = base::string_at(*known, {"cluster", "server"});
    const bool local =
        server.starts_with("https://127.0.0.1:") || server.starts_with("https://localhost:");
    if (!local) {
      return fail(Code::kConflict,
                  fmt::format("the kubeconfig has a cluster \"{}\" at {}; --force replaces it",
                              name, server));
    }
  }
  put(config, "clusters", cluster);
  put(config, "users", wanted["users"][0]);
  put(config, "contexts", wanted["contexts"][0]);
  config["current-context"] = name;
  return base::dump_yaml(config);
}

}  // namespace hearth::apiserver
