#include "platform/lambda/function_validation.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

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

// Rejected in handler, url, ref, path, bucket and endpoint.
constexpr std::string_view kShellMarks = ";&|$`(){}[]<>!#*?~\n\r\\";

// The schema's: more than the reference takes, which knows neither http nor file.
constexpr std::array<std::string_view, 6> kGitSchemes = {"https://", "http://", "ssh://",
                                                         "git://",   "file://", "git@"};

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower_or_digit(char c) { return is_lower(c) || is_digit(c); }
bool is_letter_or_digit(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool is_blank_or_control(char c) { return c == ' ' || is_control(c); }

// ^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$. Google's may have underscores, and 222 characters.
bool is_bucket(std::string_view text, bool is_google) {
  return text.size() >= 3 && text.size() <= (is_google ? 222 : 63) &&
         is_lower_or_digit(text.front()) && is_lower_or_digit(text.back()) &&
         std::ranges::all_of(text, [&](char c) {
           return is_lower_or_digit(c) || c == '.' || c == '-' || (is_google && c == '_');
         });
}

// ^[a-zA-Z0-9][-a-zA-Z0-9.]*[a-zA-Z0-9](:[0-9]{1,5})?$
bool is_endpoint(std::string_view text) {
  const std::string_view host = text.substr(0, text.find(':'));
  if (host.size() < text.size()) {
    const std::string_view port = text.substr(host.size() + 1);
    if (port.empty() || port.size() > 5 || !std::ranges::all_of(port, is_digit)) return false;
  }
  return host.size() >= 2 && is_letter_or_digit(host.front()) && is_letter_or_digit(host.back()) &&
         std::ranges::all_of(host,
                             [](char c) { return is_letter_or_digit(c) || c == '.' || c == '-'; });
}

// ^[a-z]{2}-[a-z]+-[0-9]+$
bool is_region(std::string_view text) {
  const auto parts = base::split(text, '-');
  return parts.size() == 3 && parts[0].size() == 2 && !parts[1].empty() && !parts[2].empty() &&
         std::ranges::all_of(parts[0], is_lower) && std::ranges::all_of(parts[1], is_lower) &&
         std::ranges::all_of(parts[2], is_digit);
}

// What git takes as the name of a branch or tag, as far as the schema looks at it.
bool is_ref(std::string_view text) {
  return text.front() != '-' && text.front() != '/' && std::ranges::none_of(text, [](char c) {
           return is_blank_or_control(c) || c == '^' || c == ':';
         });
}

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

  // False when there is nothing more to look at: the text is empty, or too long, which is reported.
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
      add(field, fmt::format("{}: must not contain '..'", code));
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
    check_bucket(part, field);
    check_key(string_at(part, {"key"}), field + ".key");
    check_endpoint(string_at(part, {"endpoint"}), field + ".endpoint");
    const std::string region = string_at(part, {"region"});
    if (!region.empty() && !is_region(region)) {
      add(field + ".region", "REGION_INVALID_FORMAT: regions look like us-east-1");
    }
  }

  void check_bucket(const Json& part, const std::string& source) {
    const std::string bucket = string_at(part, {"bucket"});
    const std::string field = source + ".bucket";
    const bool is_google = source.ends_with(".gcs");
    if (bucket.empty()) {
      add(field, "BUCKET_REQUIRED: Required value", "FieldValueRequired");
    } else if (no_marks(bucket, field, "BUCKET") && !is_bucket(bucket, is_google)) {
      add(field,
          fmt::format("BUCKET_INVALID_FORMAT: must be 3 to {}, a letter or digit at both ends",
                      is_google ? "222 of a-z 0-9 . - _" : "63 of a-z 0-9 . -"));
    }
  }

  // Without the reference's KEY_INJECTION: no shell sees a key.
  void check_key(const std::string& key, const std::string& field) {
    if (key.empty()) add(field, "KEY_REQUIRED: Required value", "FieldValueRequired");
    if (!bounded(key, field, 1024, "KEY") || !no_traversal(key, field, "KEY_PATH_TRAVERSAL")) {
      return;
    }
    if (std::ranges::any_of(key, is_control)) {
      add(field, "KEY_INVALID_FORMAT: must not contain control characters");
    }
  }

  void check_endpoint(const std::string& endpoint, const std::string& field) {
    if (!bounded(endpoint, field, 253, "ENDPOINT") || !no_marks(endpoint, field, "ENDPOINT")) {
      return;
    }
    if (!is_endpoint(endpoint)) {
      add(field, "ENDPOINT_INVALID_FORMAT: must be host or host:port, without a scheme");
    }
  }

  void check_git(const Json& part, const std::string& field) {
    check_url(string_at(part, {"url"}), field + ".url");
    check_ref(string_at(part, {"ref"}), field + ".ref");
    check_path(string_at(part, {"path"}), field + ".path");
  }

  void check_url(const std::string& url, const std::string& field) {
    if (url.empty()) add(field, "URL_REQUIRED: Required value", "FieldValueRequired");
    if (!bounded(url, field, 2048, "URL") || !no_marks(url, field, "URL", "~?#")) return;
    const auto known = std::ranges::find_if(
        kGitSchemes, [&](std::string_view scheme) { return url.starts_with(scheme); });
    if (known == kGitSchemes.end()) {
      add(field,
          fmt::format("URL_INVALID_SCHEME: must begin with {}", fmt::join(kGitSchemes, ", ")));
    } else if (url.size() == known->size() || std::ranges::any_of(url, is_blank_or_control)) {
      add(field, "URL_PARSE_ERROR: must be an absolute URL without blanks");
    }
  }

  void check_ref(const std::string& ref, const std::string& field) {
    if (!bounded(ref, field, 256, "REF") || !no_marks(ref, field, "REF", "#")) return;
    if (!is_ref(ref)) {
      add(field,
          "REF_INVALID_FORMAT: must be a branch, tag or commit: no blanks, '^' or ':', no '-' or "
          "'/' at its beginning");
    } else if (ref.contains("..")) {
      add(field, "REF_PATH_TRAVERSAL: must not contain '..'");
    }
  }

  void check_path(const std::string& path, const std::string& field) {
    if (!bounded(path, field, 512, "PATH") || !no_marks(path, field, "PATH")) return;
    if (no_traversal(path, field, "PATH_TRAVERSAL") && path.starts_with('/')) {
      add(field, "PATH_ESCAPE: must be relative");
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
      return !text.empty() && !is_digit(text.front()) &&
             std::ranges::all_of(text, [](char c) { return is_letter_or_digit(c) || c == '_'; });
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
      const bool fine = !name.empty() && !is_digit(name.front()) &&
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
