// Where a Route's requests go: its spec's targets with their revisions, or, while one of them can't
// take requests, what the Route served last. Pure.
//
// As Knative: a bad target programs nothing new. The last good assignment is the Route's
// status.traffic, so it survives a restart; of that, what was deleted goes.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "platform/base/json.h"
#include "platform/resource/condition.h"

namespace hearth::serving {

enum class RevisionState { kMissing, kNotReady, kFailed, kReady };

// What a Route needs to know of its namespace.
struct TrafficView {
  std::function<RevisionState(const std::string& revision)> state_of;
  // Empty when the configuration has none yet.
  std::function<std::string(const std::string& configuration)> latest_ready;
  std::function<std::string(const std::string& configuration)> latest_created;
  std::function<std::string(const std::string& tag)> url_of;
};

struct Assignment {
  Json traffic = Json::array();   // for status.traffic
  resource::Condition condition;  // AllTrafficAssigned
  std::set<std::string> awaited;  // named revisions that can't take requests yet
};

Assignment assign_traffic(const Json& route, const TrafficView& view);

// Every revision that the Route names, follows or serves: those must stay.
std::set<std::string> revisions_of(const Json& route, const TrafficView& view);

// The configurations whose latest revision the Route wants.
std::set<std::string> configurations_of(const Json& route);

}  // namespace hearth::serving
