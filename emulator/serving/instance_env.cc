#include "emulator/serving/instance_env.h"

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/resource/well_known.h"

namespace hearth::serving {

namespace {

Task<Result<std::string>> resolve_reference(resource::Store& store, std::string ns, Json source) {
  const bool secret = source.contains("secretKeyRef");
  const Json& reference = secret ? source["secretKeyRef"] : source["configMapKeyRef"];
  const std::string name = base::string_at(reference, {"name"});
  const std::string key = base::string_at(reference, {"key"});
  auto object = co_await store.get(secret ? resource::kSecrets : resource::kConfigMaps, {ns, name});
  if (!object) co_return fail(object.error());
  const std::string text = base::string_at(**object, {"data", key});
  const Json* data = base::find(**object, {"data"});
  if (data == nullptr || !data->contains(key)) {
    co_return fail(Code::kNotFound,
                   fmt::format("{} {} has no key {}", secret ? "Secret" : "ConfigMap", name, key));
  }
  co_return secret ? base::from_base64(text).value_or("") : text;
}

}  // namespace

Task<Result<Environment>> instance_env(resource::Store& store, RevisionSpec spec,
                                       Environment platform) {
  Environment out = std::move(platform);
  out.emplace_back("PORT", std::to_string(spec.port));
  out.emplace_back("K_SERVICE", spec.service);
  out.emplace_back("K_CONFIGURATION", spec.configuration);
  out.emplace_back("K_REVISION", spec.name);
  out.emplace_back("TIMEOUT_SECONDS", std::to_string(spec.timeout.count()));
  for (const Json& item : spec.env) {
    const std::string name = base::string_at(item, {"name"});
    const Json* from = base::find(item, {"valueFrom"});
    if (from == nullptr ||
        (!from->contains("secretKeyRef") && !from->contains("configMapKeyRef"))) {
      out.emplace_back(name, base::string_at(item, {"value"}));
      continue;
    }
    auto value = co_await resolve_reference(store, spec.ns, *from);
    const Json& reference =
        from->contains("secretKeyRef") ? (*from)["secretKeyRef"] : (*from)["configMapKeyRef"];
    if (value)
      out.emplace_back(name, std::move(*value));
    else if (!base::bool_at(reference, {"optional"}).value_or(false)) {
      co_return fail(with_context(value.error(), "environment variable " + name));
    }
  }
  co_return out;
}

}  // namespace hearth::serving
