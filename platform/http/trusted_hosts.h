// Whose Host a server answers. A web page can let a name of its own site lead to 127.0.0.1 once it
// is loaded (DNS rebinding): for the browser its requests then stay within one origin, and the Host
// that they name is all that tells them from the user's own. So a name is answered that nobody else
// can let lead here, or that was allowed.
//
// Immutable: any thread may ask. Asking allocates nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "platform/async/task.h"

namespace hearth::http {

class Exchange;

class TrustedHosts {
 public:
  struct Options {
    std::vector<std::string> names;    // of this machine; what is below them is trusted, too
    std::vector<std::string> domains;  // only what is below them is
    std::string setting;               // "--host NAME": what allows another name, for refusals
  };
  enum class Kind {
    kForeign,
    // The machine itself: an address, a name of one label, one of the names; or no Host at all.
    kMachine,
    kBelow,
  };

  explicit TrustedHosts(Options options) : options_(std::move(options)) {}

  // Of a Host field or its name: a port, the case and a dot at the end don't matter.
  Kind kind_of(std::string_view host) const;
  bool trusts(std::string_view host) const { return kind_of(host) != Kind::kForeign; }

  // Answers 421 Misdirected Request, and says why and what to do.
  Task<void> refuse(Exchange& exchange) const;

 private:
  Options options_;
};

}  // namespace hearth::http
