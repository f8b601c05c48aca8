#include "emulator/store/namespace_contents.h"

#include "platform/async/loop.h"
#include "platform/resource/well_known.h"

namespace hearth::store {

using namespace resource;

namespace {

constexpr const char* kAuthorityName = "kube-root-ca.crt";
constexpr const char* kAccountName = "default";

}  // namespace

NamespaceContents::NamespaceContents(async::Loop& loop, Store& store, std::string authority_pem)
    : store_(store),
      authority_pem_(std::move(authority_pem)),
      namespaces_(loop, store, kNamespaces),
      tasks_(loop),
      controller_(loop, "namespace-contents",
                  [this](ObjectKey key) { return reconcile(std::move(key)); }) {}

void NamespaceContents::start() {
  namespaces_.on_change([this](const ObjectPtr& object, bool deleted) {
    if (!deleted) controller_.enqueue({"", name_of(*object)});
  });
  tasks_.spawn(namespaces_.run());
  tasks_.spawn(run_when_synced());
}

Task<void> NamespaceContents::run_when_synced() {
  co_await namespaces_.wait_synced();
  controller_.start();
}

Task<void> NamespaceContents::stop() {
  co_await controller_.stop();
  tasks_.cancel();
  co_await tasks_.drain();
}

Task<Result<Requeue>> NamespaceContents::reconcile(ObjectKey key) {
  const ObjectPtr object = namespaces_.get(key);
  if (!object || is_being_deleted(*object)) co_return Requeue();
  Json authority = new_object(kConfigMaps, {key.name, kAuthorityName});
  authority["data"]["ca.crt"] = authority_pem_;
  const auto stored = co_await store_.get(kConfigMaps, {key.name, kAuthorityName});
  if (!stored || base::string_at(**stored, {"data", "ca.crt"}) != authority_pem_) {
    HEARTH_CO_CHECK_OK(co_await apply(store_, kConfigMaps, std::move(authority)));
  }
  const auto account = co_await store_.get(kServiceAccounts, {key.name, kAccountName});
  if (account) co_return Requeue();
  auto created = co_await store_.create(kServiceAccounts,
                                        new_object(kServiceAccounts, {key.name, kAccountName}), {});
  if (!created && created.error().code != Code::kAlreadyExists) co_return fail(created.error());
  co_return Requeue();
}

}  // namespace hearth::store
