#include "emulator/front_page.h"

#include "emulator/eventing/eventing.h"
#include "platform/base/hash.h"
#include "platform/base/text.h"
#include "platform/http/trusted_hosts.h"
#include "platform/lambda/command_receiver.h"

namespace hearth::emulator {
namespace {

struct BrokerAddress {
  std::string ns;
  std::string broker;
};

struct FunctionName {
  std::string ns;
  std::string name;
};

// "name.namespace" of a Service's host in a cluster; empty for other hosts.
std::string_view cluster_service(std::string_view host) {
  for (const std::string_view suffix : {".svc.cluster.local", ".svc"}) {
    if (host.ends_with(suffix)) return host.substr(0, host.size() - suffix.size());
  }
  return {};
}

// {broker}-broker-ingress.{ns}.svc.cluster.local, as RabbitMQ brokers have it.
std::optional<BrokerAddress> broker_of_host(std::string_view host) {
  constexpr std::string_view kIngress = "-broker-ingress";
  const std::string_view service = cluster_service(host);
  const auto dot = service.find('.');
  const std::string_view name = service.substr(0, dot);
  if (dot == service.npos || !name.ends_with(kIngress)) return std::nullopt;
  return BrokerAddress{std::string(service.substr(dot + 1)),
                       std::string(name.substr(0, name.size() - kIngress.size()))};
}

// /hearth/v1/functions/NAMESPACE/NAME/scale-to-zero
std::optional<FunctionName> function_to_scale(std::string_view path) {
  const auto parts = base::split(path.substr(1), '/');
  if (parts.size() != 6 || parts[2] != "functions" || parts[5] != "scale-to-zero") {
    return std::nullopt;
  }
  return FunctionName{std::string(parts[3]), std::string(parts[4])};
}

}  // namespace

FrontPage::FrontPage(eventing::Eventing& eventing, lambda::CommandReceiver& commands,
                     const http::TrustedHosts& hosts, std::string token,
                     std::function<Json()> status, ScaleToZero scale_to_zero,
                     std::function<Task<std::string>()> metrics)
    : eventing_(eventing),
      commands_(commands),
      hosts_(hosts),
      token_(std::move(token)),
      status_(std::move(status)),
      scale_to_zero_(std::move(scale_to_zero)),
      metrics_(std::move(metrics)) {}

bool FrontPage::is_own_host(std::string_view host) const {
  return hosts_.kind_of(host) == http::TrustedHosts::Kind::kMachine ||
         cluster_service(host) == "broker-ingress.knative-eventing";
}

Task<bool> FrontPage::handle(http::Exchange& exchange) {
  const std::string host = exchange.request().host();
  if (const auto broker = broker_of_host(host)) {
    co_await eventing_.ingress(exchange, broker->ns, broker->broker);
    co_return true;
  }
  if (!is_own_host(host)) co_return false;
  const std::string path(exchange.request().path());
  if (path == "/healthz" || path == "/readyz") {
    (void)co_await exchange.respond(200, "text/plain", "ok\n");
    co_return true;
  }
  if (path == "/" || path == "/status") {
    (void)co_await exchange.respond(200, "application/json",
                                    base::dump_json_pretty(status_()) + "\n");
    co_return true;
  }
  if (path == "/metrics") {
    const std::string page = co_await metrics_();
    (void)co_await exchange.respond(200, "text/plain; version=0.0.4; charset=utf-8", page);
    co_return true;
  }
  if (path == "/events") {
    co_await commands_.handle(exchange);
    co_return true;
  }
  if (path.starts_with("/hearth/v1/")) {
    co_await administer(exchange);
    co_return true;
  }
  const auto parts = base::split(std::string_view(path).substr(1), '/');
  const bool two = parts.size() == 2 || (parts.size() == 3 && parts[2].empty());
  if (!two || !base::is_dns_label(parts[0]) || !base::is_dns_subdomain(parts[1])) co_return false;
  co_await eventing_.ingress(exchange, std::string(parts[0]), std::string(parts[1]));
  co_return true;
}

Task<void> FrontPage::administer(http::Exchange& exchange) {
  const std::string_view header = exchange.request().headers.get_or("authorization", "");
  if (!header.starts_with("Bearer ") || !base::equal_constant_time(header.substr(7), token_)) {
    (void)co_await exchange.respond(401, "application/json",
                                    R"({"error":"unauthorized","message":"send the token of the )"
                                    R"(kubeconfig as a bearer token"})"
                                    "\n");
    co_return;
  }
  const std::string path(exchange.request().path());
  if (const auto function = function_to_scale(path)) {
    const bool post = exchange.request().method == "POST";
    const Json answer = post ? Json{{"ended", scale_to_zero_(function->ns, function->name)}}
                             : Json{{"error", "method"}, {"message", "use POST"}};
    (void)co_await exchange.respond(post ? 200 : 405, "application/json",
                                    base::dump_json(answer) + "\n");
    co_return;
  }
  co_await eventing_.admin(exchange);
}

}  // namespace hearth::emulator
