#include "platform/lambda/source_watch.h"

#include <algorithm>

#include "platform/lambda/function.h"

namespace hearth::lambda {

namespace {

// Longer than the pause between two objects of one upload.
constexpr std::chrono::seconds kQuiet{1};
// A prefix that is written all the time is read all the same.
constexpr std::chrono::seconds kQuietMax{30};

bool is_object_source(const Json& function) {
  const std::string type = base::string_at(function, {"spec", "source", "type"});
  return type == "minio" || type == "s3" || type == "gcs";
}

bool belongs(const std::string& source_key, const std::string& key) {
  return source_key.ends_with('/') ? key.starts_with(source_key) : key == source_key;
}

}  // namespace

SourceWatch::SourceWatch(const base::Clock& clock) : clock_(clock) {}

const SourceWatch::Watched* SourceWatch::find(const resource::ObjectKey& function) const {
  const auto found = watched_.find(function);
  return found == watched_.end() ? nullptr : &found->second;
}

void SourceWatch::put(const Json& function) {
  const resource::ObjectKey name = resource::key_of(function);
  if (!is_object_source(function)) return forget(name);
  const Source source = parse_function(function).source;
  const Watched* known = find(name);
  if (known != nullptr && known->bucket == source.bucket && known->key == source.key) return;
  forget(name);
  watched_.emplace(name, Watched{.bucket = source.bucket, .key = source.key});
  by_bucket_[source.bucket].insert(name);
}

void SourceWatch::forget(const resource::ObjectKey& function) {
  const auto found = watched_.find(function);
  if (found == watched_.end()) return;
  const auto bucket = by_bucket_.find(found->second.bucket);
  bucket->second.erase(function);
  if (bucket->second.empty()) by_bucket_.erase(bucket);
  watched_.erase(found);
}

std::vector<resource::ObjectKey> SourceWatch::changed(const std::string& bucket,
                                                      const std::string& key) {
  std::vector<resource::ObjectKey> out;
  const auto used = by_bucket_.find(bucket);
  if (used == by_bucket_.end()) return out;
  for (const resource::ObjectKey& name : used->second) {
    if (!belongs(watched_.at(name).key, key)) continue;
    const bool is_first = !has_changed(name);
    Watched& watched = watched_.at(name);
    watched.last_change = clock_.monotonic();
    if (is_first) watched.first_change = watched.last_change;
    ++watched.changes;
    out.push_back(name);
  }
  return out;
}

std::uint64_t SourceWatch::changes(const resource::ObjectKey& function) const {
  const Watched* watched = find(function);
  return watched == nullptr ? 0 : watched->changes;
}

void SourceWatch::looked_at(const resource::ObjectKey& function, std::uint64_t changes) {
  const auto found = watched_.find(function);
  if (found == watched_.end()) return;
  Watched& watched = found->second;
  watched.looked_at = changes;
  // What was told of while it was looked at begins an upload of its own.
  watched.first_change = watched.last_change;
}

bool SourceWatch::has_changed(const resource::ObjectKey& function) const {
  const Watched* watched = find(function);
  return watched != nullptr && watched->changes > watched->looked_at.value_or(0);
}

bool SourceWatch::is_due(const resource::ObjectKey& function) const {
  const Watched* watched = find(function);
  return watched != nullptr && (!watched->looked_at || has_changed(function));
}

std::chrono::nanoseconds SourceWatch::unsettled(const resource::ObjectKey& function) const {
  const Watched* watched = find(function);
  if (watched == nullptr || !watched->key.ends_with('/') || !has_changed(function)) {
    return std::chrono::nanoseconds(0);
  }
  const auto until = std::min(watched->last_change + kQuiet, watched->first_change + kQuietMax);
  return std::max<std::chrono::nanoseconds>(until - clock_.monotonic(),
                                            std::chrono::nanoseconds(0));
}

}  // namespace hearth::lambda
