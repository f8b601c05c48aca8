// The connections of the command line's HTTP client. A server may answer before it has read a whole
// request, and close (413: the body is too large): what can't be written any more is dropped then,
// and the answer is read.
#pragma once

#include <memory>
#include <string>

namespace httplib {
class ClientImpl;
}
namespace hearth::http {
struct Url;
}

namespace hearth::cli {

// Only certificates of `ca_pem` are trusted with https; the system's when it is empty.
std::unique_ptr<httplib::ClientImpl> make_http_client(const http::Url& url,
                                                      const std::string& ca_pem);

}  // namespace hearth::cli
