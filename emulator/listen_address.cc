#include "emulator/listen_address.h"

#include <array>
#include <initializer_list>
#include <memory>

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

namespace hearth::emulator {
namespace {

bool is_all_networks(const std::string& address) { return address == "0.0.0.0" || address == "::"; }

// Empty: not an internet address, or one that only means something together with an interface.
std::string text_of(const sockaddr* address) {
  if (address == nullptr) return {};
  const bool is_v6 = address->sa_family == AF_INET6;
  if (address->sa_family != AF_INET && !is_v6) return {};
  std::array<char, NI_MAXHOST> text{};
  const socklen_t size = is_v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  if (::getnameinfo(address, size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
    return {};
  }
  const std::string out = text.data();
  return out.contains('%') ? std::string() : out;
}

std::vector<std::string> interface_addresses() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return {};
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, ::freeifaddrs);
  std::vector<std::string> out;
  for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
    if (std::string text = text_of(one->ifa_addr); !text.empty()) out.push_back(std::move(text));
  }
  return out;
}

// Empty when it has none.
std::string machine_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

}  // namespace

std::string url_host(const std::string& address) {
  if (address == "0.0.0.0") return "127.0.0.1";
  if (address == "::") return "[::1]";
  return address.contains(':') ? "[" + address + "]" : address;
}

std::vector<std::string> callable_names(const std::string& address) {
  if (!is_all_networks(address)) return {address};
  std::vector<std::string> out = interface_addresses();
  if (std::string name = machine_name(); !name.empty()) out.push_back(std::move(name));
  return out;
}

http::TrustedHosts trusted_hosts(const std::string& domain, std::vector<std::string> added) {
  std::vector<std::string> names = std::move(added);
  // The last two are what containers of Docker and Podman call their host.
  for (const std::string& name : {domain, machine_name(), std::string("host.docker.internal"),
                                  std::string("host.containers.internal")}) {
    if (!name.empty()) names.push_back(name);
  }
  return http::TrustedHosts({.names = std::move(names),
                             // ICANN keeps "internal" out of the public DNS; virtual machines and
                             // container engines name their host below it.
                             .domains = {"svc.cluster.local", "svc", "internal"},
                             .setting = "--host NAME, HEARTH_HOSTS, or hosts in the file of "
                                        "--config"});
}

}  // namespace hearth::emulator
