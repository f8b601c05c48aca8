#include "platform/lambda/function_validation.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "platform/base/quantity.h"
#include "platform/base/text.h"
#include "platform/lambda/function.h"
#include "platform/resource/object.h"
#include "platform/resource/schema.h"

namespace hearth::lambda {

using base::find;
using base::string_at;

namespace {

// Names that Knative sets itself, and ports of its proxy: a Service with one of them is refused, so
// the function is, where its author sees it.
constexpr std::array<std::string_view, 4> kReservedNames = {"PORT", "K_SERVICE", "K_CONFIGURATION",
                                                            "K_REVISION"};
constexpr std::array<std::int64_t, 6> kReservedPorts = {8008, 8012, 8013, 8022, 9090, 9091};

// Rejected in handler, url, ref and path.
constexpr std::string_view kShellMarks = ";&|$`(){}[]<>!#*?~\n\r\\";

class Checker {
 public:
  explicit Checker(const Json& object) : object_(object) {}

  std::vector<FieldError> run() {
    check_source();
    check_runtime();
    check_scaling();
    check_resources();
    check_env();
    check_durations();
    return std::move(errors_);
  }

 private:
  void add(std::string field, std::string message, std::string reason = "FieldValueInvalid") {
    errors_.push_back({std::move(field), std::move(reason), std::move(message)});
  }

  // False when the text is empty, after reporting it as missing if it is required.
  bool bounded(const std::string& text, const std::string& field, std::size_t max,
               std::string_view code) {
    if (text.size() > max) {
      add(field, fmt::format("{}_TOO_LONG: must be at most {} characters", code, max));
      return false;
    }
    return !text.empty();
  }

  bool no_marks(const std::string& text, const std::string& field, std::string_view code,
                std::string_view allowed = "") {
    for (const char c : text) {
      if (!kShellMarks.contains(c) || allowed.contains(c)) continue;
      add(field,
          fmt::format("{}_INJECTION: must not contain {}", code, Json(std::string(1, c)).dump()));
      return false;
    }
    return true;
  }

  bool no_traversal(const std::string& text, const std::string& field, std::string_view code) {
    for (const std::string_view part : base::split(text, '/')) {
      if (part != "..") continue;
      add(field, fmt::format("{}_PATH_TRAVERSAL: must not contain '..'", code));
      return false;
    }
    return true;
  }

  void check_source() {
    const std::string type = string_at(object_, {"spec", "source", "type"});
    const Json* part = find(object_, {"spec", "source", type});
    if (part == nullptr || !part->is_object()) {
      add("spec.source." + type, fmt::format("Required value: source type \"{}\" needs it", type),
          "FieldValueRequired");
      return;
    }
    const std::string field = "spec.source." + type;
    if (type == "inline") check_inline(*part, field);
    if (type == "minio" || type == "s3" || type == "gcs") check_object_source(*part, field);
    if (type == "git") check_git(*part, field);
    if (type == "image") check_image(*part, field);
  }

  void check_inline(const Json& part, const std::string& field) {
    // The whole function travels in one object of at most 1 MiB.
    constexpr std::size_t kCodeBytesMax = 512 * 1024;
    const std::string code = string_at(part, {"code"});
    if (code.empty())
      add(field + ".code", "Required value: the code is empty", "FieldValueRequired");
    if (code.size() > kCodeBytesMax) {
      add(field + ".code",
          fmt::format("Too long: {} bytes, at most {}; keep the code in a bucket or "
                      "a repository",
                      code.size(), kCodeBytesMax),
          "FieldValueTooLong");
    }
  }

  void check_object_source(const Json& part, const std::string& field) {
    const std::string bucket = string_at(part, {"bucket"});
    const std::string key = string_at(part, {"key"});
    if (bucket.empty())
      add(field + ".bucket", "BUCKET_REQUIRED: Required value", "FieldValueRequired");
    if (key.empty()) add(field + ".key", "KEY_REQUIRED: Required value", "FieldValueRequired");
    bounded(key, field + ".key", 1024, "KEY");
    no_traversal(key, field + ".key", "KEY");
    if (std::ranges::any_of(key, [](char c) { return static_cast<unsigned char>(c) < 0x20; })) {
      add(field + ".key", "KEY_INVALID_FORMAT: must not contain control characters");
    }
    const std::string endpoint = string_at(part, {"endpoint"});
    if (bounded(endpoint, field + ".endpoint", 253, "ENDPOINT")) {
      no_marks(endpoint, field + ".endpoint", "ENDPOINT", "[]");
    }
  }

  void check_git(const Json& part, const std::string& field) {
    const std::string url = string_at(part, {"url"});
    if (url.empty()) add(field + ".url", "URL_REQUIRED: Required value", "FieldValueRequired");
    if (bounded(url, field + ".url", 2048, "URL")) no_marks(url, field + ".url", "URL", "~?#");
    const std::string ref = string_at(part, {"ref"});
    if (bounded(ref, field + ".ref", 256, "REF")) {
      no_marks(ref, field + ".ref", "REF", "#");
      if (ref.contains("..")) add(field + ".ref", "REF_PATH_TRAVERSAL: must not contain '..'");
    }
    const std::string path = string_at(part, {"path"});
    if (bounded(path, field + ".path", 512, "PATH")) {
      no_marks(path, field + ".path", "PATH");
      no_traversal(path, field + ".path", "PATH");
      if (path.starts_with('/')) add(field + ".path", "PATH_ESCAPE: must be relative");
    }
  }

  void check_image(const Json& part, const std::string& field) {
    const std::string repository = string_at(part, {"repository"});
    if (repository.empty()) {
      add(field + ".repository", "Required value", "FieldValueRequired");
    } else if (repository.find_first_of(" \t\n@") != std::string::npos) {
      add(field + ".repository", "Invalid value: no image repository");
    }
    const auto port = base::int_at(part, {"port"});
    if (port && std::ranges::find(kReservedPorts, *port) != kReservedPorts.end()) {
      add(field + ".port", fmt::format("Invalid value: {}: Knative keeps this port", *port));
    }
  }

  void check_runtime() {
    const std::string handler = string_at(object_, {"spec", "runtime", "handler"});
    const std::string field = "spec.runtime.handler";
    if (!bounded(handler, field, 100, "HANDLER") || !no_marks(handler, field, "HANDLER")) return;
    if (handler.find_first_of("'\"") != std::string::npos) {
      add(field, "HANDLER_QUOTES: must not contain quotes");
      return;
    }
    const auto dot = handler.find('.');
    const auto is_name = [](std::string_view text) {
      return !text.empty() && !(text[0] >= '0' && text[0] <= '9') &&
             std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_';
             });
    };
    const std::string_view view(handler);
    if (dot == handler.npos || !is_name(view.substr(0, dot)) || !is_name(view.substr(dot + 1))) {
      add(field, fmt::format("HANDLER_INVALID_FORMAT: \"{}\" is not module.function", handler));
    }
  }

  void check_scaling() {
    const auto minimum = base::int_at(object_, {"spec", "scaling", "minReplicas"}).value_or(0);
    const auto maximum = base::int_at(object_, {"spec", "scaling", "maxReplicas"}).value_or(50);
    if (minimum > maximum) {
      add("spec.scaling.minReplicas",
          fmt::format("Invalid value: {}: must not be more than maxReplicas ({})", minimum,
                      maximum));
    }
  }

  void check_resources() {
    for (const char* kind : {"requests", "limits"}) {
      for (const char* name : {"memory", "cpu"}) {
        const std::string text = string_at(object_, {"spec", "resources", kind, name});
        if (text.empty() || base::parse_quantity_milli(text).value_or(-1) >= 0) continue;
        add(fmt::format("spec.resources.{}.{}", kind, name),
            fmt::format("Invalid value: \"{}\": quantities look like 128Mi or 100m", text));
      }
    }
  }

  void check_env() {
    const Json* env = find(object_, {"spec", "env"});
    if (env == nullptr || !env->is_array()) return;
    for (std::size_t i = 0; i < env->size(); ++i) {
      const std::string name = string_at((*env)[i], {"name"});
      const bool fine = !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
                        name.find_first_of(std::string_view("= \0\n", 4)) == std::string::npos;
      if (!fine) {
        add(fmt::format("spec.env[{}].name", i),
            fmt::format("Invalid value: \"{}\": no name of an environment variable", name));
      } else if (std::ranges::find(kReservedNames, name) != kReservedNames.end()) {
        add(fmt::format("spec.env[{}].name", i),
            fmt::format("Invalid value: \"{}\": Knative sets it", name));
      }
    }
  }

  void check_durations() {
    const std::string timeout = string_at(object_, {"spec", "build", "timeout"});
    if (!timeout.empty() && !base::parse_go_duration(timeout)) {
      add("spec.build.timeout",
          fmt::format("Invalid value: \"{}\": durations look like 10m", timeout));
    }
    const std::string grace = string_at(object_, {"spec", "scaling", "scaleToZeroGracePeriod"});
    if (!grace.empty() && !base::parse_go_duration(grace)) {
      add("spec.scaling.scaleToZeroGracePeriod",
          fmt::format("Invalid value: \"{}\": durations look like 30s", grace));
    }
    const std::string delay = string_at(object_, {"spec", "eventing", "dlq", "retryBackoffDelay"});
    if (!delay.empty() && !base::parse_iso_duration(delay)) {
      add("spec.eventing.dlq.retryBackoffDelay",
          fmt::format("Invalid value: \"{}\": ISO 8601 durations look like PT1S", delay));
    }
  }

  const Json& object_;
  std::vector<FieldError> errors_;
};

}  // namespace

std::vector<FieldError> validate_function(const Json& object) { return Checker(object).run(); }

Status admit_function(Json& object, const Json*) {
  // What is being deleted must stay deletable, whatever newer rules say of it.
  if (resource::is_being_deleted(object)) return {};
  auto errors = validate_function(object);
  if (errors.empty()) return {};
  return fail(resource::invalid_object("LambdaFunction.lambda.knative.io",
                                       resource::name_of(object), std::move(errors)));
}

}  // namespace hearth::lambda
