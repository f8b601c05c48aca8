#include "kube-adapter/resource_path.h"

#include "platform/base/text.h"

namespace hearth::kube_adapter {

std::string collection_path(const resource::Type& type, const std::string& ns) {
  std::string path =
      type.group.empty() ? "/api/" + type.version : "/apis/" + type.group + "/" + type.version;
  if (type.namespaced && !ns.empty()) path += "/namespaces/" + base::percent_encode(ns);
  return path + "/" + type.plural;
}

std::string object_path(const resource::Type& type, const resource::ObjectKey& key) {
  return collection_path(type, key.ns) + "/" + base::percent_encode(key.name);
}

std::string query_text(const std::vector<std::pair<std::string_view, std::string>>& parameters) {
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    out += out.empty() ? '?' : '&';
    out.append(name).append("=").append(base::percent_encode(value));
  }
  return out;
}

}  // namespace hearth::kube_adapter
