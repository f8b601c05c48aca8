#include <algorithm>
#include <array>
#include <variant>

#include <fmt/format.h>

#include "cli/up_flags.h"
#include "platform/base/file.h"
#include "platform/base/json.h"
#include "platform/base/text.h"
#include "platform/base/yaml.h"

namespace hearth::cli {
namespace {

constexpr std::size_t kConfigBytesMax = 1024 * 1024;
constexpr int kPortMax = 65535;

using Member = std::variant<std::string UpFlags::*, int UpFlags::*, bool UpFlags::*,
                            std::vector<std::string> UpFlags::*>;

struct Key {
  std::string_view name;
  const char* flag;
  Member member;
  std::string_view choices = {};  // "auto,json,text"; empty: anything
  bool reloadable = false;        // SIGHUP takes it over
};

constexpr std::array<Key, 23> kKeys{{
    {"state", "--state", &UpFlags::state},
    {"listen", "--listen", &UpFlags::listen},
    {"hosts", "--host", &UpFlags::hosts},
    {"port", "--port", &UpFlags::port},
    {"apiPort", "--api-port", &UpFlags::api_port},
    {"s3Port", "--s3-port", &UpFlags::s3_port},
    {"registryPort", "--registry-port", &UpFlags::registry_port},
    {"ephemeral", "--ephemeral", &UpFlags::ephemeral},
    {"dev", "--dev", &UpFlags::dev},
    {"sandbox", "--no-sandbox", &UpFlags::no_sandbox},
    {"controllers", "--controllers", &UpFlags::controllers},
    {"s3AccessKey", "--s3-access-key", &UpFlags::s3_access_key, "", true},
    {"s3SecretKey", "--s3-secret-key", &UpFlags::s3_secret_key, "", true},
    {"languages", "--languages", &UpFlags::languages},
    {"build", "--build", &UpFlags::build, "native,kaniko"},
    {"kanikoExecutor", "--kaniko-executor", &UpFlags::kaniko_executor},
    {"buildHostCredentials", "--build-host-credentials", &UpFlags::build_host_credentials},
    {"cache", "--cache", &UpFlags::cache},
    {"gcsEndpoint", "--gcs-endpoint", &UpFlags::gcs_endpoint},
    {"logFormat", "--log-format", &UpFlags::log_format, "auto,json,text", true},
    {"logLevel", "--log-level", &UpFlags::log_level, "debug,info,warn,error", true},
    {"accessLog", "--access-log", &UpFlags::access_log, "", true},
    {"s3Credentials", "", &UpFlags::config},
}};

Result<std::string> text_value(const Json& value, const Key& key) {
  if (!value.is_string()) return fail(Code::kInvalid, "expected text");
  std::string text = value;
  if (key.choices.empty()) return text;
  for (const std::string_view choice : base::split(key.choices, ',')) {
    if (choice == text) return text;
  }
  return fail(Code::kInvalid, fmt::format("\"{}\" is none of {}", text, key.choices));
}

Result<std::vector<std::string>> list_value(const Json& value) {
  const auto is_text = [](const Json& item) { return item.is_string(); };
  if (!value.is_array() || !std::ranges::all_of(value, is_text)) {
    return fail(Code::kInvalid, "expected a list of texts");
  }
  return value.get<std::vector<std::string>>();
}

Status set(UpFlags& flags, const Key& key, const Json& value) {
  if (const auto* text = std::get_if<std::string UpFlags::*>(&key.member)) {
    HEARTH_TRY(given, text_value(value, key));
    flags.** text = given;
  } else if (const auto* port = std::get_if<int UpFlags::*>(&key.member)) {
    if (!value.is_number_integer() || value.get<std::int64_t>() < 0 ||
        value.get<std::int64_t>() > kPortMax) {
      return fail(Code::kInvalid, fmt::format("expected a port, 0 to {}", kPortMax));
    }
    flags.** port = value;
  } else if (const auto* flag = std::get_if<bool UpFlags::*>(&key.member)) {
    if (!value.is_boolean()) return fail(Code::kInvalid, "expected true or false");
    // The one flag that switches something off.
    flags.** flag = key.name == "sandbox" ? !value.get<bool>() : value.get<bool>();
  } else if (const auto* list = std::get_if<std::vector<std::string> UpFlags::*>(&key.member)) {
    HEARTH_TRY(given, list_value(value));
    flags.** list = std::move(given);
  }
  return {};
}

Status set_credentials(UpFlags& flags, const Json& value) {
  if (!value.is_object()) return fail(Code::kInvalid, "expected a mapping: accessKey: secret");
  for (const auto& [access, secret] : value.items()) {
    if (!secret.is_string()) return fail(Code::kInvalid, access + ": expected text");
    flags.s3_credentials[access] = secret;
  }
  return {};
}

Error unknown_key(const std::string& name) {
  std::vector<std::string> names;
  names.reserve(kKeys.size());
  for (const Key& key : kKeys) names.emplace_back(key.name);
  const auto near = base::nearest(name, names);
  return {Code::kInvalid,
          near ? fmt::format("unknown key; did you mean \"{}\"?", *near) : "unknown key",
          {}};
}

Status set_key(UpFlags& flags, const std::string& name, const Json& value,
               const IsGiven& is_given) {
  if (name == "s3Credentials") return set_credentials(flags, value);
  for (const Key& key : kKeys) {
    if (key.name != name) continue;
    UpFlags checked = flags;
    HEARTH_CHECK_OK(set(checked, key, value));
    // A wrong value is an error even where a flag wins.
    if (!is_given(key.flag)) flags = std::move(checked);
    return {};
  }
  return fail(unknown_key(name));
}

}  // namespace

Status apply_config_file(UpFlags& flags, const IsGiven& is_given) {
  if (flags.config.empty()) return {};
  HEARTH_TRY(text, base::read_file(flags.config, kConfigBytesMax));
  const auto parsed = base::parse_yaml_documents(text, flags.config);
  if (!parsed) return fail(Code::kInvalid, parsed.error().message);
  if (parsed->empty()) return {};  // comments only
  const Json& config = parsed->front();
  if (!config.is_object() || parsed->size() > 1) {
    return fail(Code::kInvalid, fmt::format("{}: expected one mapping of keys", flags.config));
  }
  for (const auto& [name, value] : config.items()) {
    const Status set = set_key(flags, name, value, is_given);
    if (set) continue;
    const auto at = base::position_of(text, 0, name);
    return fail(Code::kInvalid, fmt::format("{}:{}:{}: {}: {}", flags.config, at.line, at.column,
                                            name, set.error().message));
  }
  return {};
}

ChangedKeys changed_keys(const UpFlags& before, const UpFlags& after) {
  ChangedKeys out;
  for (const Key& key : kKeys) {
    const bool credentials = key.name == "s3Credentials";
    const bool same =
        credentials
            ? before.s3_credentials == after.s3_credentials
            : std::visit([&](auto member) { return before.*member == after.*member; }, key.member);
    if (same) continue;
    (key.reloadable || credentials ? out.taken_over : out.need_restart).emplace_back(key.name);
  }
  return out;
}

}  // namespace hearth::cli
