// The command receiver: CloudEvents io.knative.lambda.command.* become changes of LambdaFunctions.
// Posted straight to it or delivered by a broker.
//
// Stricter than the reference: an invalid spec is 400, deleting what is not there is accepted, an
// event is applied once per (source, id), privileged annotations are dropped, bodies and rate are
// bounded. Commands need no login, so a function that has what only the API's administrator may
// give away (privileged_field) is neither made, changed nor rebuilt by them.
#pragma once

#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/event/cloud_event.h"
#include "platform/http/exchange.h"
#include "platform/resource/store.h"

namespace hearth::lambda {

inline constexpr std::string_view kCancelAnnotation = "lambda.knative.io/cancel-requested";
inline constexpr std::string_view kCancelReasonAnnotation = "lambda.knative.io/cancel-reason";
inline constexpr std::size_t kCancelReasonBytesMax = 1024;

struct CommandReceiverOptions {
  std::string default_namespace = "knative-lambda";
  double rate_per_second = 50;
  double burst = 100;
};

class CommandReceiver {
 public:
  // Lives on the store's loop; references outlive it.
  CommandReceiver(resource::Store& store, const base::Clock& clock, CommandReceiverOptions options);

  // POST / or /events. 202 accepted, 400 invalid_cloudevent, schema_validation_failed, not_found
  // or refused, 405, 413, 429 rate_limit_exceeded with Retry-After: 5, 500 processing_failed, 503
  // unavailable: a repetition while the first is being applied, among others.
  // X-Correlation-ID always. What no repetition can mend is 400: brokers send again after a 404.
  Task<void> handle(http::Exchange& exchange);
  // Unknown types are accepted and ignored. kInvalid: the data; kNotFound: its function or
  // namespace; kRateLimited; kUnavailable: the same event is being applied.
  Task<Status> apply(event::CloudEvent event);

 private:
  struct Target {
    std::string ns;
    std::string name;
    Json data;
  };
  Task<Status> dispatch(event::CloudEvent event);
  Task<Status> deploy(event::CloudEvent event, Json data);
  Task<Status> remove(Target target);
  Task<Status> rebuild(Target target);
  Task<Status> cancel(Target target);
  Task<Status> roll_back(Target target);
  Task<Result<resource::ObjectPtr>> function_of(Target target);
  // kNotFound that names similar functions of the namespace.
  Task<Error> unknown_function(Target target);
  Task<Status> annotate(Target target, Json annotations);
  Result<Target> target_of(const event::CloudEvent& event, Json data) const;
  bool take_token();
  using EventKey = std::pair<std::string, std::string>;  // source and id
  void remember(EventKey key);

  resource::Store& store_;
  const base::Clock& clock_;
  CommandReceiverOptions options_;
  double tokens_;
  base::MonotonicTime refilled_;
  std::set<EventKey> under_way_;
  std::set<EventKey> applied_;
  std::deque<EventKey> applied_order_;
};

}  // namespace hearth::lambda
