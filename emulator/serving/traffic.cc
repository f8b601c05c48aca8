#include "emulator/serving/traffic.h"

#include <utility>

#include <fmt/format.h>

#include "platform/resource/object.h"

namespace hearth::serving {

using base::string_at;
using resource::Condition;

namespace {

constexpr const char* kAssigned = "AllTrafficAssigned";

const Json& list_at(const Json& object, std::initializer_list<std::string_view> path) {
  static const Json none = Json::array();
  const Json* found = base::find(object, path);
  return found != nullptr && found->is_array() ? *found : none;
}

std::string followed_configuration(const Json& target, const Json& route) {
  const std::string name = string_at(target, {"configurationName"});
  return name.empty() ? resource::name_of(route) : name;
}

// The first fault that is found decides, but a False one goes before those that only wait.
void blame(Condition& condition, const char* status, std::string message) {
  if (condition.status == "False" || condition.status == status) return;
  condition = {kAssigned, status, "RevisionMissing", std::move(message)};
}

void check_named(const std::string& name, RevisionState state, Assignment& out) {
  if (state == RevisionState::kReady) return;
  out.awaited.insert(name);
  if (state == RevisionState::kMissing) {
    blame(out.condition, "False",
          fmt::format("Revision \"{}\" referenced in traffic not found.", name));
  } else if (state == RevisionState::kFailed) {
    blame(out.condition, "False", fmt::format("Revision \"{}\" failed to become ready.", name));
  } else {
    blame(out.condition, "Unknown", fmt::format("Revision \"{}\" is not yet ready.", name));
  }
}

void check_followed(const std::string& configuration, const std::string& name,
                    const TrafficView& view, Assignment& out) {
  if (name.empty()) {
    blame(out.condition, "Unknown",
          fmt::format("Configuration \"{}\" is waiting for a Revision to become ready.",
                      configuration));
  } else if (view.state_of(name) == RevisionState::kMissing) {
    out.awaited.insert(name);
    // The one that was made last is made again by its Configuration.
    const bool comes_back = view.latest_created(configuration) == name;
    blame(out.condition, comes_back ? "Unknown" : "False",
          fmt::format("Revision \"{}\" referenced in traffic not found.", name));
  }
}

bool is_lone_without_percent(const Json& targets) {
  return targets.size() == 1 && targets[0].is_object() && !base::int_at(targets[0], {"percent"});
}

// A lone target without a percentage means all; admission has not always asked for a sum of 100.
// What remains of several is not meant so.
void complete_lone(const Json& wanted, Json& targets) {
  if (is_lone_without_percent(wanted) && is_lone_without_percent(targets)) {
    targets[0]["percent"] = 100;
  }
}

// Of what was served last, what still exists.
Json kept_traffic(const Json& route, const TrafficView& view) {
  Json served = list_at(route, {"status", "traffic"});
  complete_lone(list_at(route, {"spec", "traffic"}), served);
  Json out = Json::array();
  for (const Json& target : served) {
    const std::string name = string_at(target, {"revisionName"});
    if (view.state_of(name) != RevisionState::kMissing) out.push_back(target);
  }
  return out;
}

void assign(Json target, const Json& route, const TrafficView& view, Assignment& out) {
  std::string name = string_at(target, {"revisionName"});
  if (!name.empty()) {
    check_named(name, view.state_of(name), out);
  } else {
    const std::string configuration = followed_configuration(target, route);
    name = view.latest_ready(configuration);
    target["latestRevision"] = true;
    check_followed(configuration, name, view, out);
  }
  target.erase("configurationName");
  target["revisionName"] = name;
  out.traffic.push_back(std::move(target));
}

}  // namespace

Assignment assign_traffic(const Json& route, const TrafficView& view) {
  Assignment out;
  out.condition = {kAssigned, "True", "", ""};
  const Json& wanted = list_at(route, {"spec", "traffic"});
  for (const Json& target : wanted) {
    if (target.is_object()) assign(target, route, view, out);
  }
  complete_lone(wanted, out.traffic);
  if (wanted.empty()) blame(out.condition, "Unknown", "The Route has no traffic targets.");
  if (out.condition.status != "True") out.traffic = kept_traffic(route, view);
  // Also of what was kept: the daemon may listen at another port now.
  for (Json& target : out.traffic) {
    const std::string tag = string_at(target, {"tag"});
    if (!tag.empty()) target["url"] = view.url_of(tag);
  }
  return out;
}

std::set<std::string> revisions_of(const Json& route, const TrafficView& view) {
  std::set<std::string> out;
  for (const Json& target : list_at(route, {"spec", "traffic"})) {
    const std::string name = string_at(target, {"revisionName"});
    out.insert(name.empty() ? view.latest_ready(followed_configuration(target, route)) : name);
  }
  for (const Json& target : list_at(route, {"status", "traffic"})) {
    out.insert(string_at(target, {"revisionName"}));
  }
  out.erase("");
  return out;
}

std::set<std::string> configurations_of(const Json& route) {
  std::set<std::string> out;
  for (const Json& target : list_at(route, {"spec", "traffic"})) {
    const bool follows = target.is_object() && string_at(target, {"revisionName"}).empty();
    if (follows) out.insert(followed_configuration(target, route));
  }
  return out;
}

}  // namespace hearth::serving
