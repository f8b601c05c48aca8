#include "kube-adapter/kubeconfig.h"

#include <cstdlib>

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/base/file.h"
#include "platform/base/text.h"
#include "platform/base/yaml.h"

namespace hearth::kube_adapter {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kKubeconfigBytesMax = 8 * 1024 * 1024;
constexpr std::size_t kPemBytesMax = 1024 * 1024;
// What merging adds to an entry: the file that it comes from.
constexpr const char* kOrigin = "locationOfOrigin";
constexpr const char* kServiceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

std::vector<fs::path> default_files() {
  std::vector<fs::path> files;
  for (const std::string_view part : base::split(environment("KUBECONFIG"), ':')) {
    if (!part.empty()) files.emplace_back(part);
  }
  const std::string home = environment("HOME");
  if (files.empty() && !home.empty()) files.push_back(fs::path(home) / ".kube/config");
  return files;
}

const Json* named(const Json& list, const std::string& name) {
  for (const Json& item : list) {
    if (base::string_at(item, {"name"}) == name) return &item;
  }
  return nullptr;
}

// Paths of files within one entry become absolute, so that entries of several files can mix.
void make_absolute(Json& entry, const fs::path& folder) {
  if (!entry.is_object()) return;
  for (const char* field :
       {"certificate-authority", "client-certificate", "client-key", "tokenFile"}) {
    const auto it = entry.find(field);
    if (it == entry.end() || !it->is_string()) continue;
    const fs::path path(it->get<std::string>());
    if (!path.empty() && path.is_relative()) *it = (folder / path).string();
  }
}

Status merge_into(Json& merged, const Json& config, const fs::path& file) {
  const std::pair<const char*, const char*> lists[] = {
      {"clusters", "cluster"}, {"users", "user"}, {"contexts", "context"}};
  for (const auto& [list, field] : lists) {
    const Json* entries = base::find(config, {list});
    if (entries == nullptr || entries->is_null()) continue;
    if (!entries->is_array()) {
      return fail(Code::kInvalid, fmt::format("{}: {}: is no list", file.string(), list));
    }
    for (Json entry : *entries) {
      const std::string name = base::string_at(entry, {"name"});
      if (name.empty()) {
        return fail(Code::kInvalid,
                    fmt::format("{}: {}: an entry without a name", file.string(), list));
      }
      if (named(merged[list], name) != nullptr) continue;
      if (entry.contains(field)) make_absolute(entry[field], file.parent_path());
      entry[kOrigin] = file.string();
      merged[list].push_back(std::move(entry));
    }
  }
  const std::string current = base::string_at(config, {"current-context"});
  if (merged["current-context"].get<std::string>().empty()) merged["current-context"] = current;
  return {};
}

// The bytes of `field`: from field-data (base64) or from the file that `field` names.
Result<std::string> pem_of(const Json& entry, const char* field, const std::string& where) {
  const std::string data_field = std::string(field) + "-data";
  if (const std::string data = base::string_at(entry, {data_field}); !data.empty()) {
    auto bytes = base::from_base64(data);
    if (!bytes) {
      return fail(Code::kInvalid, fmt::format("{}: {}: is not base64", where, data_field));
    }
    return std::move(*bytes);
  }
  const std::string path = base::string_at(entry, {field});
  if (path.empty()) return std::string();
  auto bytes = base::read_file(path, kPemBytesMax);
  if (!bytes) return fail(with_context(bytes.error(), fmt::format("{}: {}", where, field)));
  return bytes;
}

Error not_supported(const std::string& where, const std::string& what) {
  return {Code::kUnsupported,
          fmt::format("{}: {} is not supported; use a token, a tokenFile or a client certificate "
                      "(for a token: kubectl create token SERVICEACCOUNT)",
                      where, what),
          {}};
}

Status refuse_unsupported(const Json& user, const std::string& where) {
  if (const Json* exec = base::find(user, {"exec"}); exec != nullptr && exec->is_object()) {
    return fail(not_supported(
        where, fmt::format("the exec plugin \"{}\"", base::string_at(*exec, {"command"}))));
  }
  if (const Json* provider = base::find(user, {"auth-provider"});
      provider != nullptr && provider->is_object()) {
    return fail(not_supported(
        where, fmt::format("the auth-provider \"{}\"", base::string_at(*provider, {"name"}))));
  }
  if (!base::string_at(user, {"username"}).empty()) {
    return fail(not_supported(where, "a login with username and password"));
  }
  for (const char* field : {"as", "as-uid", "as-groups", "as-user-extra"}) {
    const Json* value = base::find(user, {field});
    if (value == nullptr || value->is_null() || value->empty()) continue;
    return fail(not_supported(where, fmt::format("impersonation ({})", field)));
  }
  return {};
}

Status read_cluster(const Json& cluster, const std::string& where, ClusterAccess& access) {
  const std::string server = base::string_at(cluster, {"server"});
  if (server.empty()) return fail(Code::kInvalid, where + ": server: is missing");
  auto url = http::parse_url(server);
  if (!url) return fail(with_context(url.error(), where + ": server"));
  access.server = std::move(*url);
  if (!base::string_at(cluster, {"proxy-url"}).empty()) {
    return fail(Code::kUnsupported, where + ": proxy-url is not supported");
  }
  access.tls_server_name = base::string_at(cluster, {"tls-server-name"});
  access.skip_tls_verify = base::bool_at(cluster, {"insecure-skip-tls-verify"}).value_or(false);
  HEARTH_TRY(ca, pem_of(cluster, "certificate-authority", where));
  access.ca_pem = std::move(ca);
  if (access.skip_tls_verify && !access.ca_pem.empty()) {
    return fail(Code::kInvalid,
                where + ": insecure-skip-tls-verify: excludes a certificate-authority");
  }
  return {};
}

// What could not be sent would be left out, and we would go on as nobody.
Result<std::string> token_of(const Json& user, const std::string& where) {
  const Json* field = base::find(user, {"token"});
  if (field == nullptr || field->is_null() || *field == Json("")) return std::string();
  std::string token(base::trim(base::string_at(user, {"token"})));
  if (!token.empty() && http::is_field_value(token)) return token;
  return fail(Code::kInvalid, where + (field->is_string() && !token.empty()
                                           ? ": token: holds a line break or a control character"
                                           : ": token: is no text that holds one"));
}

Status read_user(const Json& user, const std::string& where, ClusterAccess& access) {
  HEARTH_CHECK_OK(refuse_unsupported(user, where));
  HEARTH_TRY(certificate, pem_of(user, "client-certificate", where));
  HEARTH_TRY(key, pem_of(user, "client-key", where));
  if (certificate.empty() != key.empty()) {
    return fail(Code::kInvalid, fmt::format("{}: {} is missing", where,
                                            key.empty() ? "client-key" : "client-certificate"));
  }
  access.client_certificate_pem = std::move(certificate);
  access.client_key_pem = std::move(key);
  HEARTH_TRY(token, token_of(user, where));
  access.token = std::move(token);
  access.token_file = base::string_at(user, {"tokenFile"});
  return {};
}

// The object `field` of the entry `name` in `list`.
Result<Json> entry_of(const Json& kubeconfig, const char* list, const char* field,
                      const std::string& name, const std::string& asked_by) {
  const Json* entries = base::find(kubeconfig, {list});
  const Json* entry = entries != nullptr && entries->is_array() ? named(*entries, name) : nullptr;
  const Json* value = entry == nullptr ? nullptr : base::find(*entry, {field});
  if (value == nullptr || !value->is_object()) {
    return fail(Code::kInvalid,
                fmt::format("kubeconfig: {} names the {} \"{}\", which is not there", asked_by,
                            field, name));
  }
  return *value;
}

// "FILE: user "ada"", for errors.
std::string place_of(const Json& kubeconfig, const char* list, const char* field,
                     const std::string& name) {
  const Json* entry = named(kubeconfig[list], name);
  const std::string file = entry == nullptr ? "" : base::string_at(*entry, {kOrigin});
  return fmt::format("{}{}{} \"{}\"", file, file.empty() ? "" : ": ", field, name);
}

Error no_such_context(const Json& kubeconfig, const std::string& name) {
  std::vector<std::string> names;
  for (const Json& context : kubeconfig["contexts"]) {
    names.push_back(base::string_at(context, {"name"}));
  }
  if (name.empty()) {
    return {Code::kNotFound,
            fmt::format("kubeconfig: there is no current-context; choose one of: {}",
                        base::join(names, ", ")),
            {}};
  }
  const auto near = base::nearest(name, names);
  return {Code::kNotFound,
          fmt::format("kubeconfig: no context \"{}\"{}; there is: {}", name,
                      near ? fmt::format(", did you mean \"{}\"?", *near) : "",
                      names.empty() ? "none" : base::join(names, ", ")),
          {}};
}

}  // namespace

Result<Json> merge_kubeconfigs(const std::vector<fs::path>& files) {
  Json merged{{"clusters", Json::array()},
              {"users", Json::array()},
              {"contexts", Json::array()},
              {"current-context", ""}};
  bool any = false;
  for (const fs::path& file : files) {
    std::error_code error;
    if (!fs::exists(file, error)) continue;
    HEARTH_TRY(text, base::read_file(file, kKubeconfigBytesMax));
    auto documents = base::parse_yaml_documents(text);
    if (!documents) return fail(with_context(documents.error(), file.string()));
    any = true;
    if (documents->empty() || documents->front().is_null()) continue;
    if (!documents->front().is_object()) {
      return fail(Code::kInvalid, file.string() + ": a kubeconfig is a mapping");
    }
    HEARTH_CHECK_OK(merge_into(merged, documents->front(), fs::absolute(file)));
  }
  if (!any) {
    std::vector<std::string> names;
    names.reserve(files.size());
    for (const fs::path& file : files) names.push_back(file.string());
    return fail(Code::kNotFound, fmt::format("there is no kubeconfig ({}): give --kubeconfig FILE",
                                             base::join(names, ", ")));
  }
  return merged;
}

Result<ClusterAccess> resolve_context(const Json& kubeconfig, const std::string& context) {
  const std::string name =
      context.empty() ? base::string_at(kubeconfig, {"current-context"}) : context;
  const Json* entry = named(kubeconfig["contexts"], name);
  if (name.empty() || entry == nullptr) return fail(no_such_context(kubeconfig, name));
  const std::string cluster_name = base::string_at(*entry, {"context", "cluster"});
  const std::string user_name = base::string_at(*entry, {"context", "user"});
  const std::string asked_by = fmt::format("context \"{}\"", name);
  HEARTH_TRY(cluster, entry_of(kubeconfig, "clusters", "cluster", cluster_name, asked_by));
  ClusterAccess access;
  access.context = name;
  access.ns = base::string_at(*entry, {"context", "namespace"}, "default");
  HEARTH_CHECK_OK(
      read_cluster(cluster, place_of(kubeconfig, "clusters", "cluster", cluster_name), access));
  // A context without a user is an anonymous one.
  if (!user_name.empty()) {
    HEARTH_TRY(user, entry_of(kubeconfig, "users", "user", user_name, asked_by));
    HEARTH_CHECK_OK(read_user(user, place_of(kubeconfig, "users", "user", user_name), access));
  }
  return access;
}

Result<ClusterAccess> in_cluster_access(const std::string& host, const std::string& port,
                                        const fs::path& folder) {
  ClusterAccess access;
  access.context = kInClusterContext;
  const bool is_ipv6 = host.contains(':');
  auto url = http::parse_url(
      fmt::format("https://{}:{}", is_ipv6 ? "[" + host + "]" : host, port.empty() ? "443" : port));
  if (!url) return fail(with_context(url.error(), "KUBERNETES_SERVICE_HOST"));
  access.server = std::move(*url);
  HEARTH_TRY(ca, base::read_file(folder / "ca.crt", kPemBytesMax));
  access.ca_pem = std::move(ca);
  access.token_file = folder / "token";
  if (const auto ns = base::read_file(folder / "namespace", 1024)) access.ns = base::trim(*ns);
  return access;
}

Result<ClusterAccess> load_cluster_access(const KubeconfigChoice& choice) {
  const auto files =
      choice.file.empty() ? default_files() : std::vector<fs::path>{fs::path(choice.file)};
  auto merged = merge_kubeconfigs(files);
  const std::string host = environment("KUBERNETES_SERVICE_HOST");
  const bool is_default = choice.file.empty() && choice.context.empty();
  if (!merged && merged.error().code == Code::kNotFound && is_default && !host.empty()) {
    return in_cluster_access(host, environment("KUBERNETES_SERVICE_PORT"), kServiceAccountFolder);
  }
  if (!merged) return fail(merged.error());
  return resolve_context(*merged, choice.context);
}

}  // namespace hearth::kube_adapter
