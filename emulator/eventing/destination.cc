#include "emulator/eventing/destination.h"

#include <fmt/format.h>

#include "platform/http/client.h"

namespace hearth::eventing {
namespace {

std::string service_url(const resource::ObjectKey& key) {
  return fmt::format("http://{}.{}.svc.cluster.local", key.name, key.ns);
}

std::string group_of(const Json& ref) {
  std::string group = base::string_at(ref, {"group"});
  if (!group.empty()) return group;
  const std::string version = base::string_at(ref, {"apiVersion"});
  const auto slash = version.find('/');
  return slash == version.npos ? "" : version.substr(0, slash);
}

// A relative reference against the URL of an object: only path and query can differ.
std::string join(std::string url, const std::string& relative) {
  const auto host_at = url.find("://") + 3;
  if (relative.starts_with('/')) return url.substr(0, url.find('/', host_at)) + relative;
  if (url.find('/', host_at) == url.npos) url += '/';
  return url.substr(0, url.rfind('/') + 1) + relative;
}

resource::ObjectKey key_of(const Json& ref, const std::string& ns) {
  return {base::string_at(ref, {"namespace"}, ns), base::string_at(ref, {"name"})};
}

// Null when the destination names no object.
const Json* reference_of(const Json& destination) {
  const Json* ref = base::find(destination, {"ref"});
  // CronJobSource's first form named the object without a ref.
  const bool is_inline = ref == nullptr && !base::string_at(destination, {"kind"}).empty();
  if (is_inline) return &destination;
  return ref != nullptr && ref->is_object() ? ref : nullptr;
}

}  // namespace

std::vector<resource::ObjectKey> named_objects(std::initializer_list<const Json*> destinations,
                                               const std::string& ns) {
  std::vector<resource::ObjectKey> out;
  for (const Json* destination : destinations) {
    if (destination == nullptr) continue;
    if (const Json* ref = reference_of(*destination)) out.push_back(key_of(*ref, ns));
  }
  return out;
}

std::string Destinations::broker_url(const resource::ObjectKey& broker) const {
  return fmt::format("{}/{}/{}", broker_address_, broker.ns, broker.name);
}

Result<Destination> Destinations::resolve_ref(const Json& ref, const std::string& ns) const {
  const std::string kind = base::string_at(ref, {"kind"});
  const std::string group = group_of(ref);
  const resource::ObjectKey key = key_of(ref, ns);
  const auto missing = [&] {
    return fail(Code::kNotFound, fmt::format("{} \"{}\" does not exist", kind, key.text()));
  };
  if (kind == "Service" && group == "serving.knative.dev") {
    if (!knative_services_.get(key)) return missing();
    return Destination{service_url(key), {}};
  }
  if (kind == "Service" && group.empty()) {
    if (!services_.get(key)) return missing();
    return Destination{service_url(key), {}};
  }
  if (kind == "Broker") {
    if (!brokers_.get(key)) return missing();
    return Destination{broker_url(key), key};
  }
  if (kind == "LambdaFunction" || kind == "LambdaAgent") return Destination{service_url(key), {}};
  if (kind == "Channel" || kind == "InMemoryChannel") {
    return Destination{service_url({key.ns, key.name + "-kn-channel"}), {}};
  }
  return fail(Code::kInvalid, fmt::format("kind \"{}\" ({}) is not addressable here", kind, group));
}

Result<Destination> Destinations::resolve(const Json& destination, const std::string& ns) const {
  const Json* ref = reference_of(destination);
  const std::string uri = base::string_at(destination, {"uri"});
  if (ref == nullptr) {
    if (uri.empty()) return fail(Code::kInvalid, "neither ref nor uri is set");
    auto url = http::parse_url(uri);
    if (!url) return fail(with_context(url.error(), "uri"));
    return Destination{uri, {}};
  }
  HEARTH_TRY(resolved, resolve_ref(*ref, ns));
  if (uri.empty()) return resolved;
  if (uri.contains("://")) return fail(Code::kInvalid, "uri beside ref must be relative");
  return Destination{join(resolved.url, uri), {}};
}

}  // namespace hearth::eventing
