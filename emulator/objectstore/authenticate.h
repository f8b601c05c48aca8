// Who sent a request. Every known access key may do everything; the anonymous may do nothing.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "emulator/objectstore/call.h"
#include "platform/base/clock.h"

namespace hearth::objectstore {

struct Authenticator {
  std::unordered_map<std::string, std::string> secrets;  // access key → secret
  std::string region;
  s3::SigningKeyCache cache;

  // Fills call.identity(). Signed x-amz- query parameters of a presigned request then count as
  // headers, which is what presigners turn into parameters.
  Status authenticate(Call& call, base::WallTime now);
};

}  // namespace hearth::objectstore
