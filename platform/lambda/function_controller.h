// Reconciles LambdaFunctions over resource::Store: source → build context → Kaniko Job → Knative
// Service → status. Woken by every change of a function or of what it owns; time only matters for
// retries. Knows nothing of which world the Store is in.
//
// Phases and conditions are the operator's, corrected: a changed spec rolls out, a failed build is
// retried with capped back-off and shows its log's tail, an invalid spec is Failed, there is an
// aggregate Ready condition.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "platform/base/clock.h"
#include "platform/lambda/build_plan.h"
#include "platform/lambda/language.h"
#include "platform/lambda/render.h"
#include "platform/lambda/source.h"
#include "platform/resource/event_recorder.h"
#include "platform/resource/store.h"

namespace hearth::async {
class BlockingPool;
class Loop;
}  // namespace hearth::async

namespace hearth::lambda {

// One lifecycle CloudEvent to send, after the status that it tells of was written: type without its
// prefix "io.knative.lambda.", and data.
using EmitEvent = std::function<void(const Json& function, std::string type, Json data)>;

struct FunctionControllerOptions {
  BuildSettings build;
  RenderSettings render;
  SourceAccess sources;
  ContextStorage contexts;  // may be empty: large contexts are refused then
  std::string gcs_endpoint = "https://storage.googleapis.com";
  EmitEvent emit;                // may be empty
  resource::RecordEvent record;  // may be empty
};

class FunctionController {
 public:
  // References outlive the controller. All on the loop.
  FunctionController(async::Loop& loop, async::BlockingPool& pool, resource::Store& store,
                     const Languages& languages, const base::Clock& clock,
                     FunctionControllerOptions options);
  ~FunctionController();

  void start();
  Task<void> stop();
  // True once everything that there was at the start is known and being worked on.
  bool is_synced() const;
  // An object was written or removed: functions that are built from it are looked at again, and
  // built again when their source is another. A prefix has to be quiet for a second first.
  void source_changed(const std::string& bucket, const std::string& key);

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace hearth::lambda
