#include "kube-adapter/leader_election.h"

#include <algorithm>
#include <utility>

#include "platform/async/deadline.h"
#include "platform/async/timer.h"
#include "platform/telemetry/log.h"

namespace hearth::kube_adapter {

using namespace resource;

namespace {

constexpr telemetry::Log kLog("lease");

std::string holder_of(const Json& spec) { return base::string_at(spec, {"holderIdentity"}); }

}  // namespace

LeaderElection::LeaderElection(Store& store, const base::Clock& clock, LeaseOptions options)
    : store_(store), clock_(clock), options_(std::move(options)) {}

Json LeaderElection::our_spec(const Json& former) const {
  const std::string now = base::format_rfc3339_micros(clock_.wall());
  const bool ours = holder_of(former) == options_.identity;
  const auto transitions = base::int_at(former, {"leaseTransitions"}).value_or(0);
  return {{"holderIdentity", options_.identity},
          {"leaseDurationSeconds",
           std::max<std::int64_t>(
               1, std::chrono::duration_cast<std::chrono::seconds>(options_.duration).count())},
          {"acquireTime", ours ? base::string_at(former, {"acquireTime"}) : now},
          {"renewTime", now},
          {"leaseTransitions", ours || former.is_null() ? transitions : transitions + 1}};
}

bool LeaderElection::is_over(const Json& spec) {
  const base::MonotonicTime now = clock_.monotonic();
  if (!observed_ || observed_->spec != spec) observed_ = Observed{spec, now};
  if (holder_of(spec).empty()) return true;
  // The holder's own word for how long: it may be configured otherwise.
  const std::chrono::seconds theirs(
      std::clamp<std::int64_t>(base::int_at(spec, {"leaseDurationSeconds"}).value_or(0), 0, 3600));
  const auto duration = std::max(options_.duration, std::chrono::milliseconds(theirs));
  return now - observed_->at >= duration;
}

Task<Result<bool>> LeaderElection::try_lease() {
  auto current = co_await store_.get(kLeases, options_.key);
  if (!current && current.error().code == Code::kNotFound) {
    Json lease = new_object(kLeases, options_.key);
    lease["spec"] = our_spec(Json());
    auto created = co_await store_.create(kLeases, std::move(lease), {});
    if (created) co_return true;
    if (created.error().code == Code::kAlreadyExists) co_return false;
    co_return fail(created.error());
  }
  if (!current) co_return fail(current.error());
  Json lease = **current;
  const Json spec = lease.contains("spec") ? lease["spec"] : Json::object();
  if (holder_of(spec) != options_.identity && !is_over(spec)) co_return false;
  lease["spec"] = our_spec(spec);
  auto updated = co_await store_.update(kLeases, std::move(lease), {});
  if (updated) co_return true;
  if (updated.error().code == Code::kConflict) co_return false;
  co_return fail(updated.error());
}

Task<bool> LeaderElection::acquire() {
  bool told = false;
  while (true) {
    const auto ours = co_await try_lease();
    if (ours && *ours) {
      kLog.info("lease_acquired", {{"lease", options_.key.text()}});
      co_return true;
    }
    if (!ours && ours.error().code == Code::kCancelled) co_return false;
    if (!ours) {
      kLog.warn("lease_unknown", {{"error", ours.error().message}});
    } else if (observed_ && !std::exchange(told, true)) {
      kLog.info("lease_held", {{"holder", holder_of(observed_->spec)}});
    }
    if (!co_await async::sleep_for(options_.retry)) co_return false;
  }
}

Task<Error> LeaderElection::hold() {
  base::MonotonicTime renewed = clock_.monotonic();
  while (true) {
    if (!co_await async::sleep_for(options_.retry)) co_return Error{Code::kCancelled, "", {}};
    const base::MonotonicTime asked = clock_.monotonic();
    // An API that hangs must not hold us beyond the moment at which another one may lead.
    auto answer = co_await async::with_deadline(
        try_lease(), std::max<std::chrono::nanoseconds>(options_.deadline - (asked - renewed),
                                                        std::chrono::milliseconds(1)));
    const Result<bool> ours =
        answer ? std::move(*answer) : fail(Code::kDeadlineExceeded, "the API server is too slow");
    if (!ours && ours.error().code == Code::kCancelled) co_return ours.error();
    if (ours && *ours) {
      renewed = asked;
      continue;
    }
    const bool taken = ours && observed_ && holder_of(observed_->spec) != options_.identity &&
                       !holder_of(observed_->spec).empty();
    if (taken) {
      co_return Error{Code::kConflict, "another operator leads: " + holder_of(observed_->spec), {}};
    }
    if (clock_.monotonic() - renewed >= options_.deadline) {
      co_return Error{Code::kDeadlineExceeded,
                      "the lease could not be renewed: " +
                          (ours ? std::string("others write to it") : ours.error().message),
                      {}};
    }
  }
}

Task<bool> LeaderElection::release() {
  auto current = co_await store_.get(kLeases, options_.key);
  if (!current) co_return false;
  Json lease = **current;
  if (base::string_at(lease, {"spec", "holderIdentity"}) != options_.identity) co_return false;
  lease["spec"]["holderIdentity"] = "";
  lease["spec"]["leaseDurationSeconds"] = 1;
  lease["spec"]["renewTime"] = base::format_rfc3339_micros(clock_.wall());
  const auto released = co_await store_.update(kLeases, std::move(lease), {});
  if (released) kLog.info("lease_released", {{"lease", options_.key.text()}});
  co_return released.has_value();
}

}  // namespace hearth::kube_adapter
