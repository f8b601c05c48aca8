#include "emulator/first_objects.h"

#include <fmt/format.h>

#include "emulator/runtime/log_store.h"
#include "platform/resource/well_known.h"

namespace hearth::emulator {

using resource::new_object;

namespace {

// Commands that are posted to the broker reach the receiver as any other event does.
Task<void> create_command_broker(resource::Store& store, std::string gateway) {
  Json broker = new_object(resource::kBrokers, {"knative-lambda", "lambda-broker"});
  broker["spec"] = Json::object();
  (void)co_await store.create(resource::kBrokers, std::move(broker), {});
  Json receiver =
      new_object(resource::kTriggers, {"knative-lambda", "lambda-command-receiver-trigger"});
  receiver["spec"] = {{"broker", "lambda-broker"},
                      {"filters", {{{"prefix", {{"type", "io.knative.lambda.command."}}}}}},
                      {"subscriber", {{"uri", gateway + "/events"}}}};
  (void)co_await resource::apply(store, resource::kTriggers, std::move(receiver));
}

Task<void> create_node(resource::Store& store) {
  Json node = new_object(resource::kNodes, {"", "local"});
  node["status"] = {{"conditions", {{{"type", "Ready"}, {"status", "True"}}}},
                    {"nodeInfo", {{"kubeletVersion", "hearth-" HEARTH_VERSION}}}};
  (void)co_await store.create(resource::kNodes, std::move(node), {});
}

// KEP-1755: how tools find the registry of a local cluster.
Task<void> announce_registry(resource::Store& store, std::string registry) {
  Json hosting = new_object(resource::kConfigMaps, {"kube-public", "local-registry-hosting"});
  hosting["data"] = {{"localRegistryHosting.v1", fmt::format("host: \"{}\"\n", registry)}};
  (void)co_await resource::apply(store, resource::kConfigMaps, std::move(hosting));
}

}  // namespace

Task<void> create_first_objects(resource::Store& store, Endpoints endpoints) {
  for (const char* name : {"default", "kube-system", "kube-public", "knative-lambda",
                           "knative-eventing", "knative-serving"}) {
    (void)co_await store.create(resource::kNamespaces,
                                new_object(resource::kNamespaces, {"", name}), {});
  }
  co_await create_command_broker(store, endpoints.gateway);
  co_await create_node(store);
  co_await announce_registry(store, endpoints.registry);
}

Task<void> remove_stale_pods(resource::Store& store, runtime::LogStore& logs) {
  auto pods =
      co_await store.list(resource::kPods, {.label_selector = "serving.knative.dev/revision"});
  if (!pods) co_return;
  for (const resource::ObjectPtr& pod : pods->items) {
    (void)co_await store.remove(resource::kPods, resource::key_of(*pod), {});
    logs.remove(resource::name_of(*pod));
  }
}

}  // namespace hearth::emulator
