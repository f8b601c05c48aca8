// One operator at a time: a Lease (coordination.k8s.io/v1) that its holder renews, as client-go's
// leader election reads and writes it.
//
// Lives on the store's loop. Clocks of others are never trusted: a lease is over when it did not
// change for its duration by our own.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/resource/store.h"

namespace hearth::kube_adapter {

inline const resource::Type kLeases{"coordination.k8s.io", "v1", "leases", "Lease"};

struct LeaseOptions {
  resource::ObjectKey key{"knative-lambda", "lambdafunction.lambda.knative.io"};
  std::string identity;  // unique: {host}_{uuid}
  // duration > deadline > retry: who loses the lease knows it before another one gets it.
  std::chrono::milliseconds duration{15'000};
  std::chrono::milliseconds deadline{10'000};
  std::chrono::milliseconds retry{2'000};
};

class LeaderElection {
 public:
  // `store` and `clock` outlive it.
  LeaderElection(resource::Store& store, const base::Clock& clock, LeaseOptions options);

  // Waits until the lease is ours; false when the wait was cancelled.
  Task<bool> acquire();
  // Renews until that fails for `deadline` (kConflict: another one leads) or is cancelled.
  Task<Error> hold();
  // Lets the next one in at once; false when the lease was not ours, or could not be written.
  Task<bool> release();

 private:
  struct Observed {
    Json spec;
    base::MonotonicTime at;
  };
  // True when the lease is ours and renewed, false when another one has it.
  Task<Result<bool>> try_lease();
  bool is_over(const Json& spec);
  Json our_spec(const Json& former) const;

  resource::Store& store_;
  const base::Clock& clock_;
  LeaseOptions options_;
  std::optional<Observed> observed_;
};

}  // namespace hearth::kube_adapter
