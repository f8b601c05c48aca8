// hearth invoke: one request to a function through the gateway.
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/api_client.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/flag_values.h"
#include "cli/function_lookup.h"
#include "cli/standard_output.h"
#include "cli/state_location.h"
#include "platform/base/printable.h"
#include "platform/base/random_id.h"
#include "platform/base/text.h"
#include "platform/resource/condition.h"
#include "platform/resource/well_known.h"

namespace hearth::cli {
namespace {

struct InvokeFlags {
  Target target;
  std::string name;
  std::string data;
  std::vector<std::string> headers;
  std::string method = "POST";
  std::string path = "/";
  std::string event_type;
  std::string timeout = "5m";
  bool show_head = false;
  bool fail_on_error = false;
};

bool has_header(const HttpCall& call, std::string_view name) {
  for (const auto& [key, value] : call.headers) {
    if (base::equal_ignoring_case(key, name)) return true;
  }
  return false;
}

Result<HttpCall> call_from(const InvokeFlags& flags, const std::string& name) {
  HEARTH_TRY(timeout, duration_flag(flags.timeout, "--timeout"));
  HEARTH_TRY(data, data_flag(flags.data));
  HttpCall call{.method = flags.method,
                .target = flags.path.starts_with('/') ? flags.path : "/" + flags.path,
                .body = std::move(data),
                .timeout = std::chrono::ceil<std::chrono::milliseconds>(timeout)};
  call.headers.emplace_back("Host", fmt::format("{}.{}.localhost", name, flags.target.ns));
  for (const std::string& text : flags.headers) {
    HEARTH_TRY(header, pair_flag(text, ':', "-H"));
    call.headers.push_back(std::move(header));
  }
  if (!flags.event_type.empty()) {
    call.headers.insert(call.headers.end(), {{"ce-specversion", "1.0"},
                                             {"ce-id", base::random_uuid()},
                                             {"ce-type", flags.event_type},
                                             {"ce-source", "hearth/cli"},
                                             {"ce-subject", name}});
  }
  if (!call.body.empty() && !has_header(call, "content-type")) {
    call.headers.emplace_back("Content-Type", content_type_of(call.body));
  }
  return call;
}

// Why the gateway had nobody to ask. Nothing when the function exists and is ready: then the answer
// was the function's own.
Status explain_no_answer(const Daemon& daemon, const std::string& ns, const std::string& name) {
  ApiClient api(daemon);
  const auto function = find_function(api, ns, name);
  if (!function) {
    // A Knative Service without a function speaks for itself.
    if (api.get(path_of(resource::kKnativeServices, ns, name))) return {};
    return fail(function.error());
  }
  const auto ready = resource::condition_of(*function, "Ready");
  if (ready.status == "True") return {};
  return fail(Code::kPreconditionFailed,
              fmt::format("function \"{}\" is not ready: {}{}\n  see `hearth describe function {}`",
                          name, base::string_at(*function, {"status", "phase"}, "Pending"),
                          ready.message.empty() ? "" : ": " + ready.message, name));
}

void print_head(const HttpReply& reply) {
  std::string head = fmt::format("HTTP/1.1 {} {}\n", reply.status, reply.reason);
  for (const auto& [name, value] : reply.headers) head += fmt::format("{}: {}\n", name, value);
  std::cout << for_standard_output(head) << "\n";
}

Result<int> run(const InvokeFlags& flags) {
  const std::string name = bare_name(flags.name);
  HEARTH_TRY(daemon, find_daemon(flags.target.state_folder()));
  HEARTH_TRY(call, call_from(flags, name));
  HttpClient client(daemon.gateway);
  const auto begin = std::chrono::steady_clock::now();
  HEARTH_TRY(reply, client.call(std::move(call)));
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - begin;
  if ((reply.status == 404 && reply.body.starts_with("no function answers to host")) ||
      (reply.status == 503 && reply.body.contains("has no ready revision yet"))) {
    HEARTH_CHECK_OK(explain_no_answer(daemon, flags.target.ns, name));
  }
  if (flags.show_head) print_head(reply);
  std::cout << for_standard_output(reply.body);
  // A shell's prompt belongs on a line of its own; a pipe gets the bytes as they came.
  if (::isatty(STDOUT_FILENO) != 0 && !reply.body.ends_with('\n')) std::cout << "\n";
  std::cout.flush();
  std::cerr << fmt::format("{} {} in {:.1f} ms{}\n", reply.status, base::printable(reply.reason),
                           spent.count(),
                           reply.header("X-Hearth-Cold-Start") == "true" ? " (cold start)" : "");
  return flags.fail_on_error && reply.status >= 400 ? kFunctionError : kOk;
}

}  // namespace

void register_invoke(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<InvokeFlags>();
  CLI::App* invoke = app.add_subcommand("invoke", "Call a function");
  invoke->add_option("name", flags->name, "Function")
      ->required()
      ->check(check_function)
      ->type_name("NAME");
  invoke->add_option("-d,--data", flags->data, "Body: text, @FILE, or - for standard input")
      ->type_name("DATA");
  invoke->add_option("-H,--header", flags->headers, "Header; repeatable")
      ->allow_extra_args(false)
      ->check(check_header)
      ->type_name("'NAME: VALUE'");
  invoke->add_option("-X,--method", flags->method, "Method")->capture_default_str();
  invoke->add_option("-p,--path", flags->path, "Path and query")->capture_default_str();
  invoke->add_option("--event", flags->event_type, "Send a CloudEvent of this type")
      ->type_name("TYPE");
  invoke->add_option("--timeout", flags->timeout, "How long to wait for the answer")
      ->check(check_duration)
      ->type_name("DURATION")
      ->capture_default_str();
  invoke->add_flag("-i,--include", flags->show_head, "Print status and headers too");
  invoke->add_flag("--fail", flags->fail_on_error,
                   "End with code 8 when the status is 400 or more");
  add_target_flags(*invoke, flags->target);
  invoke->footer(
      "Examples:\n"
      "  hearth invoke hello-python -d '{\"name\":\"Ada\"}'\n"
      "  hearth invoke hello-python -d @order.json --event shop.order.placed\n"
      "  hearth invoke hello-python -X GET -p '/?name=Ada' -i --fail");
  invoke->callback([flags, &exit_code] {
    const auto code = run(*flags);
    exit_code = code ? *code : report(code.error());
  });
}

}  // namespace hearth::cli
