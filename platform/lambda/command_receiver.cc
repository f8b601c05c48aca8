#include "platform/lambda/command_receiver.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/limits.h"
#include "platform/base/random_id.h"
#include "platform/base/text.h"
#include "platform/event/http_binding.h"
#include "platform/lambda/function.h"
#include "platform/resource/well_known.h"

namespace hearth::lambda {

using namespace resource;

namespace {

constexpr std::string_view kCommand = "io.knative.lambda.command.";
constexpr std::size_t kRememberedMax = 10'000;

// Annotations that give a function the platform's own rights; an event may not set them (B-60).
constexpr std::string_view kPrivileged[] = {"lambda.knative.io/use-operator-image",
                                            "lambda.knative.io/receiver-mode"};

Task<void> answer(http::Exchange& exchange, int status, std::string correlation, Json body) {
  http::ResponseHead head{.status = status, .headers = {}};
  head.headers.add("Content-Type", "application/json");
  head.headers.add("X-Correlation-ID", correlation);
  if (status == 429) head.headers.add("Retry-After", "5");
  body["correlationId"] = correlation;
  (void)co_await exchange.respond(head, base::dump_json(body) + "\n");
}

struct Refusal {
  int status;
  const char* error;
};

Refusal refusal_of(Code code) {
  switch (code) {
    case Code::kInvalid:
    case Code::kBadRequest:
      return {400, "schema_validation_failed"};
    case Code::kNotFound:
      return {400, "not_found"};
    case Code::kForbidden:
    case Code::kUnsupported:
    case Code::kTooLarge:
      return {400, "refused"};
    case Code::kRateLimited:
      return {429, "rate_limit_exceeded"};
    case Code::kUnavailable:
      return {503, "unavailable"};
    default:
      return {500, "processing_failed"};
  }
}

Result<Json> parse_data(const event::CloudEvent& event) {
  if (event.data.empty()) return Json::object();
  HEARTH_TRY(data, base::parse_json(event.data));
  if (!data.is_object()) return fail(Code::kInvalid, "the data of a command is a JSON object");
  return data;
}

Status check_unprivileged(const Json& function) {
  const auto field = privileged_field(function);
  if (!field) return {};
  return fail(Code::kForbidden,
              fmt::format("{}: Forbidden: commands need no login, so they can't deploy, change or "
                          "rebuild a function that names a Secret, a ServiceAccount or files of "
                          "this machine: apply it over the Kubernetes API",
                          *field));
}

void merge_strings(const Json& from, Json& object, const char* field) {
  const Json* map = base::find(from, {"metadata", field});
  if (map == nullptr || !map->is_object()) return;
  for (const auto& [key, value] : map->items()) {
    if (std::ranges::find(kPrivileged, std::string_view(key)) != std::end(kPrivileged)) continue;
    object["metadata"][field][key] = value;
  }
}

// Until the command has ended, however it does.
class UnderWay {
 public:
  using Keys = std::set<std::pair<std::string, std::string>>;
  UnderWay(Keys& keys, const Keys::value_type& key) : keys_(keys), at_(keys.insert(key).first) {}
  ~UnderWay() { keys_.erase(at_); }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;

 private:
  Keys& keys_;
  Keys::iterator at_;
};

}  // namespace

CommandReceiver::CommandReceiver(Store& store, const base::Clock& clock,
                                 CommandReceiverOptions options)
    : store_(store),
      clock_(clock),
      options_(std::move(options)),
      tokens_(options_.burst),
      refilled_(clock.monotonic()) {}

bool CommandReceiver::take_token() {
  const auto now = clock_.monotonic();
  const double seconds = std::chrono::duration<double>(now - refilled_).count();
  refilled_ = now;
  tokens_ = std::min(options_.burst, tokens_ + seconds * options_.rate_per_second);
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

void CommandReceiver::remember(EventKey key) {
  applied_.insert(key);
  applied_order_.push_back(std::move(key));
  if (applied_order_.size() <= kRememberedMax) return;
  applied_.erase(applied_order_.front());
  applied_order_.pop_front();
}

Task<void> CommandReceiver::handle(http::Exchange& exchange) {
  std::string correlation(exchange.request().headers.get_or("x-correlation-id", ""));
  if (correlation.empty()) correlation = base::random_uuid();
  if (exchange.request().method != "POST") {
    (void)co_await exchange.respond(405, "text/plain; charset=utf-8", "method not allowed\n");
    co_return;
  }
  auto body = co_await exchange.read_all(limits::kEventBytesMax);
  if (!body) {
    co_await answer(exchange, 413, correlation,
                    {{"error", "payload_too_large"}, {"message", body.error().message}});
    co_return;
  }
  auto event = event::decode(exchange.request().headers, std::move(*body));
  if (!event) {
    co_await answer(exchange, 400, correlation,
                    {{"error", "invalid_cloudevent"}, {"message", event.error().message}});
    co_return;
  }
  const std::string id = event->id;
  const Status applied = co_await apply(std::move(*event));
  if (applied) {
    co_await answer(exchange, 202, correlation, {{"status", "accepted"}, {"eventId", id}});
    co_return;
  }
  const Error& error = applied.error();
  const Refusal refusal = refusal_of(error.code);
  co_await answer(exchange, refusal.status, correlation,
                  {{"error", refusal.error}, {"message", error.message}, {"eventId", id}});
}

Task<Status> CommandReceiver::apply(event::CloudEvent event) {
  if (!event.type.starts_with(kCommand)) co_return Status();
  EventKey key{event.source, event.id};
  if (applied_.contains(key)) co_return Status();
  if (under_way_.contains(key)) {
    co_return fail(Code::kUnavailable, "this very command is being applied: ask again");
  }
  if (!take_token()) co_return fail(Code::kRateLimited, "more than 50 commands a second");
  const UnderWay reserved(under_way_, key);
  const Status done = co_await dispatch(std::move(event));
  if (done) remember(std::move(key));
  co_return done;
}

Task<Status> CommandReceiver::dispatch(event::CloudEvent event) {
  const std::string command = event.type.substr(kCommand.size());
  HEARTH_CO_TRY(data, parse_data(event));
  if (command == "function.deploy" || command == "service.create" || command == "service.update") {
    co_return co_await deploy(std::move(event), std::move(data));
  }
  const bool known = command == "service.delete" || command == "function.delete" ||
                     command.starts_with("build.") || command == "function.rollback";
  if (!known) co_return Status();
  HEARTH_CO_TRY(target, target_of(event, std::move(data)));
  if (command.ends_with(".delete")) co_return co_await remove(std::move(target));
  if (command == "build.start" || command == "build.retry") {
    co_return co_await rebuild(std::move(target));
  }
  if (command == "build.cancel") co_return co_await cancel(std::move(target));
  if (command == "function.rollback") co_return co_await roll_back(std::move(target));
  co_return Status();
}

// {name, namespace}; the name falls back to the subject, "name" or "ns/name" (decision 2).
Result<CommandReceiver::Target> CommandReceiver::target_of(const event::CloudEvent& event,
                                                           Json data) const {
  Target target{base::string_at(data, {"namespace"}), base::string_at(data, {"name"}), {}};
  if (target.name.empty()) {
    const auto slash = event.subject.find('/');
    if (slash != std::string::npos && target.ns.empty()) target.ns = event.subject.substr(0, slash);
    target.name = slash == std::string::npos ? event.subject : event.subject.substr(slash + 1);
  }
  if (target.name.empty()) return fail(Code::kInvalid, "name: Required value (or the subject)");
  if (target.ns.empty()) target.ns = options_.default_namespace;
  target.data = std::move(data);
  return target;
}

Task<Status> CommandReceiver::deploy(event::CloudEvent event, Json data) {
  const std::string name = base::string_at(data, {"metadata", "name"});
  const std::string ns =
      base::string_at(data, {"metadata", "namespace"}, options_.default_namespace);
  if (name.empty()) co_return fail(Code::kInvalid, "metadata.name: Required value");
  if (base::find(data, {"spec"}) == nullptr) co_return fail(Code::kInvalid, "spec: Required value");
  for (int attempt = 0; attempt < 5; ++attempt) {
    auto current = co_await store_.get(kFunctions, {ns, name});
    Json object = current ? Json(**current) : new_object(kFunctions, {ns, name});
    HEARTH_CO_CHECK_OK(check_unprivileged(object));
    merge_strings(data, object, "labels");
    merge_strings(data, object, "annotations");
    object["spec"] = data["spec"];
    HEARTH_CO_CHECK_OK(check_unprivileged(object));
    Json& annotations = object["metadata"]["annotations"];
    annotations["lambda.knative.io/last-cloudevent-id"] = event.id;
    if (!current) {
      annotations["lambda.knative.io/created-by-cloudevent"] = "true";
      annotations["lambda.knative.io/cloudevent-id"] = event.id;
      annotations["lambda.knative.io/cloudevent-source"] = event.source;
    }
    const WriteOptions strict{.field_validation = FieldValidation::kStrict};
    auto written = current ? co_await store_.update(kFunctions, std::move(object), strict)
                           : co_await store_.create(kFunctions, std::move(object), strict);
    if (written) co_return Status();
    // Somebody wrote in between: look again (the reference acknowledged and lost it, B-62).
    const Code code = written.error().code;
    const bool went = current && code == Code::kNotFound;
    if (code != Code::kConflict && code != Code::kAlreadyExists && !went) {
      co_return fail(written.error());
    }
  }
  co_return fail(Code::kConflict, "the function changes too often");
}

Task<Status> CommandReceiver::remove(Target target) {
  auto removed = co_await store_.remove(kFunctions, {target.ns, target.name}, {});
  if (!removed && removed.error().code != Code::kNotFound) co_return fail(removed.error());
  co_return Status();
}

Task<Result<ObjectPtr>> CommandReceiver::function_of(Target target) {
  auto function = co_await store_.get(kFunctions, {target.ns, target.name});
  if (!function && function.error().code == Code::kNotFound) {
    co_return fail(co_await unknown_function(std::move(target)));
  }
  co_return function;
}

Task<Error> CommandReceiver::unknown_function(Target target) {
  std::string message =
      fmt::format("name: Not found: function \"{}\" in namespace \"{}\"", target.name, target.ns);
  const auto functions = co_await store_.list(kFunctions, {.ns = target.ns});
  std::vector<std::string> names;
  if (functions) {
    for (const ObjectPtr& function : functions->items) names.push_back(name_of(*function));
  }
  if (const auto near = base::nearest(target.name, names)) {
    message += fmt::format("; did you mean \"{}\"?", *near);
  }
  co_return Error{Code::kNotFound, std::move(message), {}};
}

Task<Status> CommandReceiver::annotate(Target target, Json annotations) {
  auto patched =
      co_await store_.patch(kFunctions, {target.ns, target.name}, PatchType::kMerge,
                            {{"metadata", {{"annotations", std::move(annotations)}}}}, {});
  if (!patched && patched.error().code == Code::kNotFound) {
    co_return fail(co_await unknown_function(std::move(target)));
  }
  if (!patched) co_return fail(patched.error());
  co_return Status();
}

Task<Status> CommandReceiver::rebuild(Target target) {
  HEARTH_CO_TRY(function, co_await function_of(target));
  HEARTH_CO_CHECK_OK(check_unprivileged(*function));
  Json annotations;
  annotations[std::string(kRebuildAnnotation)] = base::format_rfc3339_micros(clock_.wall());
  annotations[std::string(kCancelAnnotation)] = nullptr;
  annotations[std::string(kCancelReasonAnnotation)] = nullptr;
  co_return co_await annotate(std::move(target), std::move(annotations));
}

Task<Status> CommandReceiver::cancel(Target target) {
  HEARTH_CO_TRY(function, co_await function_of(target));
  if (base::string_at(*function, {"status", "phase"}) != "Building") co_return Status();
  const std::string reason = base::string_at(target.data, {"reason"});
  if (reason.size() > kCancelReasonBytesMax) {
    co_return fail(Code::kInvalid,
                   fmt::format("reason: Too long: at most {} bytes", kCancelReasonBytesMax));
  }
  Json annotations;
  annotations[std::string(kCancelAnnotation)] =
      base::string_at(*function, {"status", "buildStatus", "jobName"});
  annotations[std::string(kCancelReasonAnnotation)] = reason.empty() ? Json() : Json(reason);
  co_return co_await annotate(std::move(target), std::move(annotations));
}

Task<Status> CommandReceiver::roll_back(Target target) {
  const std::string revision = base::string_at(target.data, {"revision"});
  const std::string reason = base::string_at(target.data, {"reason"});
  HEARTH_CO_TRY(function, co_await function_of(target));
  HEARTH_CO_CHECK_OK(check_unprivileged(*function));
  if (!revision.empty() && !co_await store_.get(kRevisions, {target.ns, revision})) {
    co_return fail(Code::kInvalid, fmt::format("revision: Not found: \"{}\"", revision));
  }
  Json annotations;
  // As precise as a rebuild's: by its time a rollback is told from an earlier one to the same.
  annotations[std::string(kRollbackRequestedAnnotation)] =
      base::format_rfc3339_micros(clock_.wall());
  annotations[std::string(kRollbackReasonAnnotation)] = reason;
  // Without a revision: back to the latest.
  annotations[std::string(kRollbackTargetAnnotation)] = revision.empty() ? Json() : Json(revision);
  co_return co_await annotate(std::move(target), std::move(annotations));
}

}  // namespace hearth::lambda
