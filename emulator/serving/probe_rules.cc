#include "emulator/serving/probe_rules.h"

#include <limits>

#include <fmt/format.h>

namespace hearth::serving {
namespace {

constexpr std::int64_t kNumberMax = std::numeric_limits<std::int32_t>::max();

// A number is any port of the container.
void check_port(FieldErrors& errors, const Json& handler, const std::string& path,
                std::string_view port_name) {
  const Json* port = base::find(handler, {"port"});
  if (port == nullptr || port->is_null() || port->is_number_integer()) return;
  if (!port->is_string()) {
    errors.add(path, fmt::format("invalid value: {} is not a number or a name", shown(*port)),
               "FieldValueTypeInvalid");
    return;
  }
  const std::string name = port->get<std::string>();
  if (name.empty() || name == port_name) return;
  errors.invalid(path, name, "Probe port must match container port");
}

void check_handlers(FieldErrors& errors, const Json& probe, const std::string& path,
                    std::string_view port_name) {
  const auto handler = [&](const char* name, std::initializer_list<std::string_view> fields) {
    const std::string at = fmt::format("{}.{}", path, name);
    const Json* found = errors.object_in(probe, name, at);
    if (found == nullptr) return;
    errors.refuse_others(*found, fields, at);
    check_port(errors, *found, at + ".port", port_name);
  };
  handler("exec", {"command"});
  handler("grpc", {"port", "service"});
  handler("httpGet", {"host", "httpHeaders", "path", "port", "scheme"});
  handler("tcpSocket", {"host", "port"});
}

void check_probe(FieldErrors& errors, const Json& probe, const std::string& path,
                 std::string_view port_name) {
  errors.refuse_others(
      probe,
      {"exec", "failureThreshold", "grpc", "httpGet", "initialDelaySeconds", "periodSeconds",
       "successThreshold", "tcpSocket", "terminationGracePeriodSeconds", "timeoutSeconds"},
      path);
  check_handlers(errors, probe, path, port_name);
  for (const char* name : {"failureThreshold", "initialDelaySeconds", "periodSeconds",
                           "successThreshold", "timeoutSeconds"}) {
    (void)errors.integer_in(probe, name, fmt::format("{}.{}", path, name), 0, kNumberMax);
  }
}

// Without a period Knative asks as often as it likes.
void check_own_pace(FieldErrors& errors, const Json& probe, const std::string& path) {
  const Json period = probe.value("periodSeconds", Json());
  if (!period.is_null() && period != 0) return;
  for (const char* name : {"failureThreshold", "timeoutSeconds"}) {
    if (base::int_at(probe, {name}).value_or(0) == 0) continue;
    errors.add(fmt::format("{}.{}", path, name),
               fmt::format("{} is disallowed when periodSeconds is zero", name));
  }
}

}  // namespace

void check_probes(FieldErrors& errors, const Json& container, const std::string& path,
                  std::string_view port_name) {
  const std::string liveness = path + ".livenessProbe";
  if (const Json* probe = errors.object_in(container, "livenessProbe", liveness)) {
    errors.exactly_one(*probe, {"exec", "grpc", "httpGet", "tcpSocket"}, liveness);
    check_probe(errors, *probe, liveness, port_name);
  }
  const std::string readiness = path + ".readinessProbe";
  if (const Json* probe = errors.object_in(container, "readinessProbe", readiness)) {
    // None: Knative's default, the TCP port.
    errors.at_most_one(*probe, {"exec", "grpc", "httpGet", "tcpSocket"}, readiness);
    check_probe(errors, *probe, readiness, port_name);
    check_own_pace(errors, *probe, readiness);
  }
}

void refuse_probes(FieldErrors& errors, const Json& container, const std::string& path) {
  for (const char* name : {"livenessProbe", "readinessProbe"}) {
    const std::string at = fmt::format("{}.{}", path, name);
    if (const Json* probe = errors.object_in(container, name, at)) {
      errors.refuse_others(*probe, {}, at);
    }
  }
}

}  // namespace hearth::serving
