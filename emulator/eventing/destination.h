// Resolves Knative Destinations ({ref, uri}) to URLs, from local copies of what can be addressed.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "platform/base/json.h"
#include "platform/resource/informer.h"

namespace hearth::eventing {

struct Destination {
  std::string url;
  // Set when it is a Broker of this house: events go there without HTTP.
  resource::ObjectKey broker;
};

// The objects that the destinations name by reference, `ns` being the default of ref.namespace.
std::vector<resource::ObjectKey> named_objects(std::initializer_list<const Json*> destinations,
                                               const std::string& ns);

class Destinations {
 public:
  Destinations(const resource::Informer& knative_services, const resource::Informer& services,
               const resource::Informer& brokers, std::string broker_address)
      : knative_services_(knative_services),
        services_(services),
        brokers_(brokers),
        broker_address_(std::move(broker_address)) {}

  // `ns` is where the one who names the destination lives: the default of ref.namespace. kNotFound
  // when the object is not there, kInvalid for what is no destination.
  Result<Destination> resolve(const Json& destination, const std::string& ns) const;

  std::string broker_url(const resource::ObjectKey& broker) const;

 private:
  Result<Destination> resolve_ref(const Json& ref, const std::string& ns) const;

  const resource::Informer& knative_services_;
  const resource::Informer& services_;
  const resource::Informer& brokers_;
  std::string broker_address_;
};

}  // namespace hearth::eventing
