// What the gateway's port answers besides functions: brokers, the event administration, status.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "platform/async/task.h"
#include "platform/base/json.h"
#include "platform/http/exchange.h"

namespace hearth::eventing {
class Eventing;
}
namespace hearth::http {
class TrustedHosts;
}
namespace hearth::lambda {
class CommandReceiver;
}

namespace hearth::emulator {

class FrontPage {
 public:
  // Ends the idle instances of a function, returns how many.
  using ScaleToZero = std::function<std::size_t(const std::string& ns, const std::string& name)>;

  // It answers at those of `hosts` that are the machine itself, and at the cluster's broker host.
  // `token` guards what changes or shows data of others; `status` and `metrics` are public.
  FrontPage(eventing::Eventing& eventing, lambda::CommandReceiver& commands,
            const http::TrustedHosts& hosts, std::string token, std::function<Json()> status,
            ScaleToZero scale_to_zero, std::function<Task<std::string>()> metrics);

  // False when the request is for nothing here.
  Task<bool> handle(http::Exchange& exchange);

 private:
  bool is_own_host(std::string_view host) const;
  Task<void> administer(http::Exchange& exchange);

  eventing::Eventing& eventing_;
  lambda::CommandReceiver& commands_;
  const http::TrustedHosts& hosts_;
  std::string token_;
  std::function<Json()> status_;
  ScaleToZero scale_to_zero_;
  std::function<Task<std::string>()> metrics_;
};

}  // namespace hearth::emulator
