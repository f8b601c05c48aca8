// What every namespace has from its beginning: the ServiceAccount `default` and the ConfigMap
// `kube-root-ca.crt` with the authority that signs the API's certificate. Looked at when the
// namespace appears or changes and at each start.
//
// Lives on the store's loop.
#pragma once

#include <string>

#include "platform/async/task_group.h"
#include "platform/resource/controller.h"
#include "platform/resource/informer.h"

namespace hearth::store {

class NamespaceContents {
 public:
  NamespaceContents(async::Loop& loop, resource::Store& store, std::string authority_pem);

  void start();
  Task<void> stop();

 private:
  Task<Result<resource::Requeue>> reconcile(resource::ObjectKey key);
  Task<void> run_when_synced();

  resource::Store& store_;
  std::string authority_pem_;
  resource::Informer namespaces_;
  async::TaskGroup tasks_;
  resource::Controller controller_;
};

}  // namespace hearth::store
