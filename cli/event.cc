// hearth event: sends CloudEvents to a broker and shows what became of them.
#include <iostream>
#include <map>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/api_client.h"
#include "cli/broker_records.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/flag_values.h"
#include "cli/state_location.h"
#include "platform/base/random_id.h"
#include "platform/base/text.h"

namespace hearth::cli {
namespace {

using base::string_at;

struct SendFlags {
  Target target;
  std::string broker = "lambda-broker";
  std::string id, type, source, subject, data, content_type;
  std::vector<std::string> extensions;
};

struct ListFlags {
  RecordFlags records;
  std::string type, source, subject;
};

struct ShowFlags {
  RecordFlags records;
  std::string id;
};

// Attributes travel as headers (binary mode); outside printable ASCII is percent-encoded.
std::string header_value(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '"' && c != '%')
      out.push_back(c);
    else
      out += fmt::format("%{:02X}", byte);
  }
  return out;
}

Result<HttpCall> call_from(const SendFlags& flags, const std::string& id) {
  HEARTH_TRY(data, data_flag(flags.data));
  HttpCall call{.method = "POST",
                .target = fmt::format("/{}/{}", base::percent_encode(flags.target.ns),
                                      base::percent_encode(flags.broker)),
                .headers = {{"ce-specversion", "1.0"},
                            {"ce-id", header_value(id)},
                            {"ce-type", header_value(flags.type)},
                            {"ce-source", header_value(flags.source)}},
                .body = std::move(data)};
  if (!flags.subject.empty()) call.headers.emplace_back("ce-subject", header_value(flags.subject));
  for (const std::string& text : flags.extensions) {
    HEARTH_TRY(extension, pair_flag(text, '=', "-e"));
    call.headers.emplace_back("ce-" + extension.first, header_value(extension.second));
  }
  if (!call.body.empty()) {
    call.headers.emplace_back("Content-Type", flags.content_type.empty()
                                                  ? content_type_of(call.body)
                                                  : flags.content_type);
  }
  return call;
}

// The broker's RFC 9457 problem as an error.
Error refusal(const HttpReply& reply, const std::string& broker) {
  const auto problem = base::parse_json(reply.body);
  const std::string detail = problem ? string_at(*problem, {"detail"}) : reply.body;
  const Code code = reply.status == 404   ? Code::kNotFound
                    : reply.status < 500  ? Code::kInvalid
                    : reply.status == 503 ? Code::kUnavailable
                                          : Code::kInternal;
  return {code,
          fmt::format("the broker \"{}\" refused the event ({}): {}", broker, reply.status, detail),
          {}};
}

Status send(const SendFlags& flags) {
  HEARTH_TRY(daemon, find_daemon(flags.target.state_folder()));
  const std::string id = flags.id.empty() ? base::random_uuid() : flags.id;
  HEARTH_TRY(call, call_from(flags, id));
  HttpClient client(daemon.gateway);
  HEARTH_TRY(reply, client.call(std::move(call)));
  if (reply.status >= 300) return fail(refusal(reply, flags.target.ns + "/" + flags.broker));
  std::cout << id << "\n";
  std::cerr << fmt::format("accepted by {}/{}; `hearth event show {}` says where it went\n",
                           flags.target.ns, flags.broker, id);
  return {};
}

// "2 delivered, 1 failed"
std::string deliveries_text(const Json& event) {
  std::map<std::string, int> counts;
  for (const Json& delivery : event["deliveries"]) ++counts[string_at(delivery, {"state"})];
  std::vector<std::string> parts;
  parts.reserve(counts.size());
  for (const auto& [state, count] : counts) parts.push_back(fmt::format("{} {}", count, state));
  return parts.empty() ? "no trigger" : base::join(parts, ", ");
}

std::vector<std::string> row_of(const Json& event) {
  return {std::to_string(base::int_at(event, {"sequence"}).value_or(0)),
          string_at(event, {"received"}),
          string_at(event, {"namespace"}) + "/" + string_at(event, {"broker"}),
          string_at(event, {"type"}),
          string_at(event, {"source"}),
          string_at(event, {"subject"}),
          deliveries_text(event)};
}

Status list(const ListFlags& flags) {
  const std::string query = query_of({{"namespace", flags.records.ns()},
                                      {"type", flags.type},
                                      {"source", flags.source},
                                      {"subject", flags.subject},
                                      {"limit", std::to_string(flags.records.limit)}});
  return list_records(
      flags.records, "events" + query,
      {.kind = "EventList",
       .header = {"SEQUENCE", "RECEIVED", "BROKER", "TYPE", "SOURCE", "SUBJECT", "DELIVERIES"},
       .row = row_of,
       .none = "No events found."});
}

Status show(const ShowFlags& flags) {
  return show_record(flags.records, "events/" + base::percent_encode(flags.id), "Event");
}

void register_send(CLI::App& event, int& exit_code) {
  auto flags = std::make_shared<SendFlags>();
  CLI::App* command = event.add_subcommand("send", "Send a CloudEvent to a broker; prints its id");
  command->add_option("--type", flags->type, "Type, com.example.order.placed")->required();
  command->add_option("--source", flags->source, "Source, a URI reference")->required();
  command->add_option("--subject", flags->subject, "Subject; functions listen to their own name");
  command->add_option("--id", flags->id, "Id; a new one when left out");
  command->add_option("-d,--data", flags->data, "Data: text, @FILE, or - for standard input")
      ->type_name("DATA");
  command->add_option("--content-type", flags->content_type, "Media type of the data");
  command->add_option("-e,--extension", flags->extensions, "Extension attribute; repeatable")
      ->allow_extra_args(false)
      ->check(check_extension)
      ->type_name("NAME=VALUE");
  command->add_option("--broker", flags->broker, "Broker")->capture_default_str();
  add_target_flags(*command, flags->target);
  command->footer(
      "Examples:\n"
      "  hearth event send --type shop.order.placed --source /shop -d '{\"n\":1}'\n"
      "  hearth event send --type shop.order.placed --source /shop -d @order.json -e tenant=one");
  command->callback([flags, &exit_code] { exit_code = finish(send(*flags)); });
}

void register_list(CLI::App& event, int& exit_code) {
  auto flags = std::make_shared<ListFlags>();
  CLI::App* command = event.add_subcommand("list", "List events, newest first");
  command->add_option("--type", flags->type, "Only of this type");
  command->add_option("--source", flags->source, "Only of this source");
  command->add_option("--subject", flags->subject, "Only of this subject");
  add_record_list_flags(*command, flags->records);
  command->footer(
      "Examples:\n  hearth event list\n  hearth event list -A --type shop.order.placed");
  command->callback([flags, &exit_code] { exit_code = finish(list(*flags)); });
}

void register_show(CLI::App& event, int& exit_code) {
  auto flags = std::make_shared<ShowFlags>();
  CLI::App* command =
      event.add_subcommand("show", "Show an event, its deliveries and the verdicts");
  command->add_option("id", flags->id, "Sequence or id")->required()->type_name("ID");
  add_record_flags(*command, flags->records);
  command->footer("Examples:\n  hearth event show 42\n  hearth event show 42 -o json");
  command->callback([flags, &exit_code] { exit_code = finish(show(*flags)); });
}

}  // namespace

void register_event(CLI::App& app, int& exit_code) {
  CLI::App* event = app.add_subcommand("event", "Send events, see what became of them");
  event->require_subcommand(1);
  event->footer(
      "Examples:\n"
      "  hearth event send --type shop.order.placed --source /shop -d '{\"n\":1}'\n"
      "  hearth event list --type shop.order.placed\n"
      "  hearth event show 42");
  register_send(*event, exit_code);
  register_list(*event, exit_code);
  register_show(*event, exit_code);
}

}  // namespace hearth::cli
