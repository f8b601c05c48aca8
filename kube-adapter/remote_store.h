// The Store of a real cluster: each method is a request (or, for lists, as many as there are pages)
// to its API server. What a method promises is in platform/resource/store.h; tests/contract holds
// this store and the embedded one to it.
//
// Lives on the loop of its ApiClient.
#pragma once

#include <memory>
#include <string>

#include "kube-adapter/api_client.h"
#include "platform/resource/store.h"

namespace hearth::kube_adapter {

struct RemoteStoreOptions {
  // Who our writes are by, in an object's managedFields.
  std::string field_manager = "hearth-operator";
  // Objects a page of a list; all pages are fetched when the caller sets no limit of his own.
  std::size_t page_size = 500;
};

class RemoteStore final : public resource::Store {
 public:
  // `client` outlives the store.
  explicit RemoteStore(ApiClient& client, RemoteStoreOptions options = {});

  // Sent at most once unless the server refused it unseen (429): kUnavailable or kInternal may mean
  // that the object exists; look before creating again.
  Task<Result<resource::ObjectPtr>> create(resource::Type type, Json object,
                                           resource::WriteOptions options) override;
  Task<Result<resource::ObjectPtr>> get(resource::Type type, resource::ObjectKey key) override;
  Task<Result<resource::List>> list(resource::Type type, resource::ListOptions options) override;
  Task<Result<resource::ObjectPtr>> update(resource::Type type, Json object,
                                           resource::WriteOptions options) override;
  Task<Result<resource::ObjectPtr>> patch(resource::Type type, resource::ObjectKey key,
                                          resource::PatchType patch_type, Json patch,
                                          resource::WriteOptions options) override;
  // Of an object that is gone the server tells only name and uid: that is what the result holds.
  Task<Result<resource::Deleted>> remove(resource::Type type, resource::ObjectKey key,
                                         resource::DeleteOptions options) override;
  Task<Result<std::unique_ptr<resource::Watch>>> watch(resource::Type type,
                                                       resource::WatchOptions options) override;

 private:
  Task<Result<resource::List>> page(resource::Type type, resource::ListOptions options);
  Task<Result<resource::List>> all_pages(resource::Type type, resource::ListOptions options);
  Task<Result<resource::ObjectPtr>> write(resource::Type type, ApiRequest request,
                                          resource::WriteOptions options);

  ApiClient& client_;
  RemoteStoreOptions options_;
};

}  // namespace hearth::kube_adapter
