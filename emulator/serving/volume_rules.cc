#include "emulator/serving/volume_rules.h"

#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "platform/base/quantity.h"
#include "platform/base/text.h"

namespace hearth::serving {

using base::string_at;

namespace {

// The elements that are objects. What else there is, others tell.
std::vector<const Json*> objects_at(const Json& owner, const char* list) {
  std::vector<const Json*> out;
  const Json* found = base::find(owner, {list});
  if (found == nullptr || !found->is_array()) return out;
  for (const Json& item : *found) {
    if (item.is_object()) out.push_back(&item);
  }
  return out;
}

std::set<std::string> names_at(const Json& owner, const char* list) {
  std::set<std::string> out;
  for (const Json* item : objects_at(owner, list)) out.insert(string_at(*item, {"name"}));
  return out;
}

void check_items(FieldErrors& errors, const Json& source, const std::string& path) {
  const std::string items = path + ".items";
  for (const auto& [item, at] : errors.objects_of(errors.list_in(source, "items", items), items)) {
    errors.refuse_others(*item, {"key", "mode", "path"}, at);
    (void)errors.required_text_in(*item, "key", at + ".key");
    (void)errors.required_text_in(*item, "path", at + ".path");
  }
}

void check_downward(FieldErrors& errors, const Json& source, const std::string& path) {
  const std::string items = path + ".items";
  for (const auto& [item, at] : errors.objects_of(errors.list_in(source, "items", items), items)) {
    errors.refuse_others(*item, {"fieldRef", "mode", "path", "resourceFieldRef"}, at);
    errors.exactly_one(*item, {"fieldRef", "resourceFieldRef"}, at);
    (void)errors.required_text_in(*item, "path", at + ".path");
  }
}

void check_projection(FieldErrors& errors, const Json& source, const std::string& path) {
  errors.refuse_others(source, {"configMap", "downwardAPI", "secret", "serviceAccountToken"}, path);
  errors.exactly_one(source, {"configMap", "downwardAPI", "secret", "serviceAccountToken"}, path);
  for (const char* name : {"configMap", "secret"}) {
    const std::string at = fmt::format("{}.{}", path, name);
    const Json* found = errors.object_in(source, name, at);
    if (found == nullptr) continue;
    errors.refuse_others(*found, {"items", "name", "optional"}, at);
    (void)errors.required_text_in(*found, "name", at + ".name");
    check_items(errors, *found, at);
  }
  const std::string token = path + ".serviceAccountToken";
  if (const Json* found = errors.object_in(source, "serviceAccountToken", token)) {
    errors.refuse_others(*found, {"audience", "expirationSeconds", "path"}, token);
    (void)errors.required_text_in(*found, "path", token + ".path");
  }
  const std::string downward = path + ".downwardAPI";
  if (const Json* found = errors.object_in(source, "downwardAPI", downward)) {
    errors.refuse_others(*found, {"items"}, downward);
    check_downward(errors, *found, downward);
  }
}

void check_empty_dir(FieldErrors& errors, const Json& source, const std::string& path) {
  const std::string medium = errors.text_in(source, "medium", path + ".medium").value_or("");
  if (!medium.empty() && medium != "Memory") errors.invalid(path + ".medium", medium);
  const Json* limit = base::find(source, {"sizeLimit"});
  if (limit == nullptr || limit->is_null()) return;
  const std::string text = limit->is_string() ? limit->get<std::string>() : shown(*limit);
  if (base::parse_quantity(text).value_or(-1) < 0) errors.invalid(path + ".sizeLimit", text);
}

void check_source(FieldErrors& errors, const Json& volume, const std::string& path) {
  // All others are behind features that are off by default.
  errors.refuse_others(volume, {"configMap", "emptyDir", "name", "projected", "secret"}, path);
  errors.exactly_one(volume, {"configMap", "emptyDir", "projected", "secret"}, path);
  for (const char* name : {"configMap", "secret"}) {
    const std::string at = fmt::format("{}.{}", path, name);
    if (const Json* found = errors.object_in(volume, name, at)) check_items(errors, *found, at);
  }
  if (const Json* found = errors.object_in(volume, "emptyDir", path + ".emptyDir")) {
    check_empty_dir(errors, *found, path + ".emptyDir");
  }
  const Json* projected = errors.object_in(volume, "projected", path + ".projected");
  if (projected == nullptr) return;
  const std::string sources = path + ".projected.sources";
  const Json* list = errors.list_in(*projected, "sources", sources);
  for (const auto& [source, at] : errors.objects_of(list, sources)) {
    check_projection(errors, *source, at);
  }
}

// Go's path.Clean.
std::string clean(const std::string& path) {
  std::string out = std::filesystem::path(path).lexically_normal().string();
  if (out.size() > 1 && out.ends_with('/')) out.pop_back();
  return out;
}

void check_mount_path(FieldErrors& errors, const Json& mount, const std::string& path,
                      std::set<std::string>& seen) {
  static const std::set<std::string> reserved{"/", "/dev", "/dev/log"};
  const std::string wanted = errors.required_text_in(mount, "mountPath", path);
  if (wanted.empty()) return;
  const std::string cleaned = clean(wanted);
  if (reserved.contains(cleaned)) {
    errors.add(path, fmt::format("mountPath {} is a reserved path", shown(cleaned)));
  } else if (!wanted.starts_with('/')) {
    errors.invalid(path, wanted);
  } else if (!seen.insert(cleaned).second) {
    errors.invalid(path, shown(wanted) + " must be unique");
  }
}

// That of a volume that isn't writable is read-only: Knative sets it so.
void check_mounts(FieldErrors& errors, const Json& container, const std::string& path,
                  const std::set<std::string>& volumes) {
  const Json* mounts = errors.list_in(container, "volumeMounts", path);
  std::set<std::string> seen;
  for (const auto& [mount, at] : errors.objects_of(mounts, path)) {
    errors.refuse_others(*mount, {"mountPath", "name", "readOnly", "subPath"}, at);
    const std::string name = errors.text_in(*mount, "name", at + ".name").value_or("");
    if (name.empty() || !volumes.contains(name)) {
      errors.add(at + ".name", "volumeMount has no matching volume");
    }
    check_mount_path(errors, *mount, at + ".mountPath", seen);
  }
}

void check_name(FieldErrors& errors, const Json& volume, const std::string& path,
                const std::set<std::string>& mounted, std::set<std::string>& seen) {
  const std::string name = errors.required_text_in(volume, "name", path);
  if (name.empty()) return;
  if (!base::is_dns_label(name)) errors.invalid(path, name);
  if (!seen.insert(name).second) {
    errors.add(path, fmt::format("duplicate volume name {}", shown(name)), "FieldValueDuplicate");
  }
  if (!mounted.contains(name)) {
    errors.add(path, fmt::format("volume with name {} not mounted", shown(name)));
  }
}

}  // namespace

void check_volumes(FieldErrors& errors, const Json& pod, const std::string& path) {
  std::set<std::string> mounted;
  for (const Json* container : objects_at(pod, "containers")) {
    mounted.merge(names_at(*container, "volumeMounts"));
  }
  const std::string volumes = path + ".volumes";
  std::set<std::string> seen;
  for (const auto& [volume, at] :
       errors.objects_of(errors.list_in(pod, "volumes", volumes), volumes)) {
    check_name(errors, *volume, at + ".name", mounted, seen);
    check_source(errors, *volume, at);
  }
  const Json* containers = base::find(pod, {"containers"});
  if (containers == nullptr || !containers->is_array()) return;
  const std::set<std::string> names = names_at(pod, "volumes");
  for (std::size_t i = 0; i < containers->size(); ++i) {
    check_mounts(errors, (*containers)[i], fmt::format("{}.containers[{}].volumeMounts", path, i),
                 names);
  }
}

}  // namespace hearth::serving
