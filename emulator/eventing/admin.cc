#include "emulator/eventing/admin.h"

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/base/text.h"

namespace hearth::eventing {

struct Admin::Query {
  std::string ns;
  std::string type;
  std::string source;
  std::string subject;
  std::string trigger;
  std::size_t limit = 100;
  std::int64_t after = 0;

  static Result<Query> parse(std::string_view text);
};

namespace {

constexpr std::string_view kPrefix = "/hearth/v1/";
constexpr std::size_t kLimitMax = 1'000;

int status_of(Code code) {
  switch (code) {
    case Code::kNotFound:
      return 404;
    case Code::kInvalid:
    case Code::kBadRequest:
      return 400;
    case Code::kConflict:
      return 409;
    case Code::kUnsupported:
      return 405;
    case Code::kUnavailable:
    case Code::kStorageFull:
      return 503;
    default:
      return 500;
  }
}

Error no_such_path(const std::string& path) {
  return {Code::kNotFound, fmt::format("no such path: {}{}", kPrefix, path), {}};
}

// Bytes as a member: text when they are, Base64 otherwise.
void put_bytes(Json& json, const std::string& name, const std::string& bytes) {
  if (base::is_valid_utf8(bytes))
    json[name] = bytes;
  else
    json[name + "Base64"] = base::base64(bytes);
}

Json delivery_json(const journal::Delivery& delivery) {
  Json json{{"trigger", delivery.trigger.name},
            {"namespace", delivery.trigger.ns},
            {"state", journal::state_name(delivery.state)},
            {"attempts", delivery.attempts},
            {"code", delivery.code},
            {"reason", delivery.reason},
            {"updated", base::format_rfc3339_millis(delivery.updated)}};
  if (delivery.state == journal::DeliveryState::kPending && delivery.attempts > 0) {
    json["notBefore"] = base::format_rfc3339_millis(delivery.not_before);
  }
  return json;
}

Json event_json(const journal::Event& event) {
  const event::CloudEvent& attributes = event.entry->event;
  Json json{{"sequence", event.sequence},
            {"id", attributes.id},
            {"type", attributes.type},
            {"source", attributes.source},
            {"subject", attributes.subject},
            {"namespace", event.entry->ns},
            {"broker", event.entry->broker},
            {"received", base::format_rfc3339_millis(event.entry->received)},
            {"bytes", attributes.data.size()},
            {"deliveries", Json::array()}};
  for (const journal::Delivery& delivery : event.deliveries) {
    json["deliveries"].push_back(delivery_json(delivery));
  }
  return json;
}

Json full_event_json(const journal::Event& event) {
  Json json = event_json(event);
  json["attributes"] = Json::object();
  for (const std::string_view name : event::kContextAttributes) {
    if (const auto value = event.entry->event.attribute(name)) json["attributes"][name] = *value;
  }
  for (const auto& [name, value] : event.entry->event.extensions) json["attributes"][name] = value;
  json["headers"] = Json::object();
  for (const auto& [name, value] : event.entry->headers) json["headers"][name] = value;
  put_bytes(json, "data", event.entry->event.data);
  return json;
}

Json dead_letter_json(const journal::DeadLetter& letter) {
  Json json{{"id", letter.id},
            {"sequence", letter.sequence},
            {"namespace", letter.trigger.ns},
            {"trigger", letter.trigger.name},
            {"broker", letter.broker},
            {"attempts", letter.attempts},
            {"code", letter.code},
            {"reason", letter.reason},
            {"destination", letter.destination},
            {"at", base::format_rfc3339_millis(letter.at)},
            {"sink", journal::sink_state_name(letter.sink)},
            {"event",
             {{"id", letter.event_id},
              {"type", letter.event_type},
              {"source", letter.event_source},
              {"subject", letter.event_subject}}}};
  put_bytes(json, "body", letter.body_excerpt);
  return json;
}

}  // namespace

Result<Admin::Query> Admin::Query::parse(std::string_view text) {
  const auto parameters = http::parse_query(text);
  if (!parameters) return fail(Code::kBadRequest, "bad percent escape in the query");
  Query query;
  for (const auto& [name, value, has_value] : *parameters) {
    if (name == "namespace")
      query.ns = value;
    else if (name == "type")
      query.type = value;
    else if (name == "source")
      query.source = value;
    else if (name == "subject")
      query.subject = value;
    else if (name == "trigger")
      query.trigger = value;
    else if (name == "limit")
      query.limit = base::parse_int<std::size_t>(value).value_or(0);
    else if (name == "after")
      query.after = base::parse_int<std::int64_t>(value).value_or(-1);
    else
      return fail(Code::kBadRequest, fmt::format("unknown parameter \"{}\"", name));
  }
  if (query.limit == 0 || query.limit > kLimitMax) {
    return fail(Code::kBadRequest, fmt::format("limit is within 1-{}", kLimitMax));
  }
  if (query.after < 0) return fail(Code::kBadRequest, "after is a number");
  return query;
}

Task<void> Admin::handle(http::Exchange& exchange) {
  std::string path(exchange.request().path());
  Result<Json> json = fail(no_such_path(path));
  if (path.starts_with(kPrefix)) {
    path.erase(0, kPrefix.size());
    auto query = Query::parse(exchange.request().query());
    if (query)
      json = co_await answer(exchange.request().method, path, std::move(*query));
    else
      json = fail(query.error());
  }
  if (json) {
    co_await exchange.respond(200, "application/json", base::dump_json(*json) + "\n");
    co_return;
  }
  const Json problem{{"error", code_name(json.error().code)}, {"message", json.error().message}};
  co_await exchange.respond(status_of(json.error().code), "application/json",
                            base::dump_json(problem) + "\n");
}

Task<Result<Json>> Admin::answer(std::string method, std::string path, Query query) {
  const auto slash = path.find('/');
  const std::string head = path.substr(0, slash);
  const auto rest =
      base::percent_decode(slash == path.npos ? "" : std::string_view(path).substr(slash + 1));
  if (!rest) co_return fail(Code::kBadRequest, "bad percent escape in the path");
  if (head == "deadletters") {
    co_return co_await answer_dead_letters(std::move(method), *rest, std::move(query));
  }
  if (head != "events") co_return fail(no_such_path(path));
  if (method != "GET") co_return fail(Code::kUnsupported, "events are only read here");
  co_return rest->empty() ? list_events(query) : show_event(*rest);
}

Task<Result<Json>> Admin::answer_dead_letters(std::string method, std::string rest, Query query) {
  if (rest.empty() && method == "GET") co_return list_dead_letters(query);
  if (rest.empty() && method == "DELETE") {
    HEARTH_CO_TRY(purged, co_await journal_.purge_dead_letters(query.ns, query.trigger));
    co_return Json{{"purged", purged}};
  }
  if (rest == "replay" && method == "POST") co_return co_await replay_all(std::move(query));
  const auto slash = rest.find('/');
  const auto id = base::parse_int<std::int64_t>(std::string_view(rest).substr(0, slash));
  const std::string verb = slash == rest.npos ? "" : rest.substr(slash + 1);
  if (!id) co_return fail(no_such_path("deadletters/" + rest));
  if (verb == "replay" && method == "POST") co_return co_await replay_one(*id);
  if (verb.empty() && method == "GET") co_return show_dead_letter(*id);
  if (verb.empty() && method == "DELETE") {
    HEARTH_CO_TRY(purged, co_await journal_.purge_dead_letter(*id));
    co_return Json{{"purged", purged}};
  }
  co_return fail(Code::kUnsupported, fmt::format("{} is not possible here", method));
}

Result<Json> Admin::list_events(const Query& query) {
  HEARTH_TRY(events, journal_.list({.ns = query.ns,
                                    .type = query.type,
                                    .source = query.source,
                                    .subject = query.subject,
                                    .limit = query.limit}));
  Json items = Json::array();
  for (const journal::Event& event : events) items.push_back(event_json(event));
  return Json{{"items", std::move(items)}};
}

Result<Json> Admin::show_event(const std::string& id) {
  HEARTH_TRY(event, journal_.show(id));
  Json json = full_event_json(event);
  json["verdicts"] = Json::array();
  for (const RoutePtr& route : catalog_.of_broker({event.entry->ns, event.entry->broker})) {
    json["verdicts"].push_back({{"trigger", route->trigger.name},
                                {"verdict", to_json(explain(*route, event.entry->event))}});
  }
  return json;
}

Result<Json> Admin::list_dead_letters(const Query& query) {
  HEARTH_TRY(
      letters,
      journal_.dead_letters(
          {.ns = query.ns, .trigger = query.trigger, .limit = query.limit, .after = query.after}));
  Json items = Json::array();
  for (const journal::DeadLetter& letter : letters) items.push_back(dead_letter_json(letter));
  return Json{{"items", std::move(items)}};
}

Result<Json> Admin::show_dead_letter(std::int64_t id) {
  HEARTH_TRY(letter, journal_.dead_letter(id));
  HEARTH_TRY(event, journal_.show(std::to_string(letter.sequence)));
  Json json = dead_letter_json(letter);
  json["event"] = full_event_json(event);
  return json;
}

// To the trigger of that name as it is now: a trigger that was made anew takes over.
Task<Status> Admin::replay(journal::DeadLetter letter) {
  const RoutePtr route = catalog_.find(resource::ObjectKey{letter.trigger.ns, letter.trigger.name});
  if (!route) {
    co_return fail(Code::kConflict, fmt::format("trigger \"{}/{}\" no longer exists",
                                                letter.trigger.ns, letter.trigger.name));
  }
  HEARTH_CO_TRY(sequence, co_await journal_.replay(letter.id, route->id));
  deliverer_.push(route->id, sequence);
  co_return Status();
}

Task<Result<Json>> Admin::replay_one(std::int64_t id) {
  HEARTH_CO_TRY(letter, journal_.dead_letter(id));
  HEARTH_CO_CHECK_OK(co_await replay(std::move(letter)));
  co_return Json{{"replayed", 1}};
}

Task<Result<Json>> Admin::replay_all(Query query) {
  // The list first: what fails again is a new dead letter.
  std::vector<journal::DeadLetter> letters;
  while (true) {
    HEARTH_CO_TRY(
        page,
        journal_.dead_letters(
            {.ns = query.ns, .trigger = query.trigger, .limit = kLimitMax, .after = query.after}));
    if (page.empty()) break;
    query.after = page.back().id;
    std::ranges::move(page, std::back_inserter(letters));
  }
  int replayed = 0;
  int skipped = 0;
  for (journal::DeadLetter& letter : letters) {
    const Status done = co_await replay(std::move(letter));
    ++(done ? replayed : skipped);
  }
  co_return Json{{"replayed", replayed}, {"skipped", skipped}};
}

}  // namespace hearth::eventing
