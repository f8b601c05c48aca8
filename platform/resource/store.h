// The seam: Kubernetes objects, whoever keeps them. emulator/store keeps them in SQLite,
// kube-adapter in a real cluster; the contract suite in tests/contract runs on both.
//
// All methods are called on one loop, the store's. Errors use the codes that apiserver/status_error
// maps: kNotFound, kAlreadyExists, kConflict, kInvalid (with fields), kExpired (watch: list again),
// kUnavailable (try again).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/async/task.h"
#include "platform/resource/object.h"
#include "platform/resource/patch.h"

namespace hearth::resource {

enum class Subresource { kNone, kStatus };

enum class FieldValidation { kIgnore, kWarn, kStrict };

struct WriteOptions {
  Subresource subresource = Subresource::kNone;
  bool dry_run = false;
  FieldValidation field_validation = FieldValidation::kIgnore;
  // Who writes, as metadata.managedFields names it. Empty: a controller of the house, which owns
  // nothing. Required for PatchType::kApply.
  std::string field_manager;
  bool force = false;  // PatchType::kApply: takes over fields that others own
  // Unknown fields that were dropped, when validation is kWarn.
  std::vector<std::string>* warnings = nullptr;
  // PatchType::kApply: set to true when the object did not exist before.
  bool* created = nullptr;
};

struct ListOptions {
  std::string ns;  // empty: all namespaces
  std::string label_selector;
  std::string field_selector;
  std::size_t limit = 0;  // 0: no limit
  // Pages after the first show the version of the first.
  std::string continue_token;
  // As it was at this version; 0: now. kExpired when that is history.
  std::uint64_t exact_version = 0;
};

struct List {
  std::vector<ObjectPtr> items;  // by namespace, then name
  std::uint64_t resource_version = 0;
  std::string continue_token;
  std::size_t remaining = 0;  // behind this page; 0 when selectors make it unknown
};

struct DeleteOptions {
  enum class Propagation { kBackground, kForeground, kOrphan };
  Propagation propagation = Propagation::kBackground;
  std::string uid;                     // precondition when not empty
  std::uint64_t resource_version = 0;  // precondition when not 0
  bool dry_run = false;
};

struct Deleted {
  ObjectPtr object;
  bool gone = false;  // false: finalizers hold it, it is terminating
};

struct WatchEvent {
  enum class Type { kAdded, kModified, kDeleted, kBookmark };
  Type type = Type::kAdded;
  ObjectPtr object;  // null for a bookmark
  std::uint64_t resource_version = 0;
};

struct WatchOptions {
  std::string ns;
  std::string label_selector;
  std::string field_selector;
  // Changes after this version; 0: the current state first, as kAdded, then a kBookmark, then
  // changes.
  std::uint64_t resource_version = 0;
};

class Watch {
 public:
  virtual ~Watch() = default;
  // Waits for the next event. kExpired: the history is gone, list again. kCancelled: the waiting
  // task was cancelled. kUnavailable: the connection broke, watch again from the last version.
  virtual Task<Result<WatchEvent>> next() = 0;
  // The version up to which next() has told everything.
  virtual std::uint64_t version() const = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  // Returns once the object is durable.
  virtual Task<Result<ObjectPtr>> create(Type type, Json object, WriteOptions options) = 0;
  virtual Task<Result<ObjectPtr>> get(Type type, ObjectKey key) = 0;
  virtual Task<Result<List>> list(Type type, ListOptions options) = 0;
  // Replaces; a resourceVersion in the object must be the current one.
  virtual Task<Result<ObjectPtr>> update(Type type, Json object, WriteOptions options) = 0;
  virtual Task<Result<ObjectPtr>> patch(Type type, ObjectKey key, PatchType patch_type, Json patch,
                                        WriteOptions options) = 0;
  virtual Task<Result<Deleted>> remove(Type type, ObjectKey key, DeleteOptions options) = 0;
  virtual Task<Result<std::unique_ptr<Watch>>> watch(Type type, WatchOptions options) = 0;
};

// Creates `object`, or updates the existing one so that everything `object` says holds (metadata
// labels, annotations and owners merge; other top-level fields but status are replaced). No write
// when nothing would change.
Task<Result<ObjectPtr>> apply(Store& store, Type type, Json object);

// Writes `object`'s status when it differs from the stored one; a conflict is retried on a fresh
// copy, because only one controller writes a kind's status.
Task<Status> update_status(Store& store, Type type, ObjectKey key, Json status);

}  // namespace hearth::resource
