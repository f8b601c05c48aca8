// Who asks: the administrator, by the token of the kubeconfig or by a certificate of our authority.
// Everyone else is refused.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.h"
#include "platform/http/exchange.h"

namespace hearth::apiserver {

struct User {
  std::string name;
  std::vector<std::string> groups;
};

// The user to whom the administrator's token belongs; kUnauthorized for any other token.
Result<User> user_of_token(std::string_view token, const std::string& administrator_token);

// kUnauthorized for a wrong token, kForbidden for none.
Result<User> authenticate(http::Exchange& exchange, const std::string& administrator_token);

}  // namespace hearth::apiserver
