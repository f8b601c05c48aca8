#include "platform/event/cloud_event.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/clock.h"
#include "platform/base/text.h"
#include "platform/http/message.h"

namespace hearth::event {
namespace {

// The member that holds a context attribute; null for the name of an extension.
template <typename Event>
auto* member(Event& event, std::string_view name) {
  if (name == "specversion") return &event.specversion;
  if (name == "id") return &event.id;
  if (name == "source") return &event.source;
  if (name == "type") return &event.type;
  if (name == "datacontenttype") return &event.datacontenttype;
  if (name == "dataschema") return &event.dataschema;
  if (name == "subject") return &event.subject;
  if (name == "time") return &event.time;
  return static_cast<decltype(&event.id)>(nullptr);
}

// U+0000-001F, U+007F-009F and noncharacters are no part of a String. The text is UTF-8.
bool has_forbidden_character(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto at = [&](std::size_t offset) {
      return i + offset < text.size() ? static_cast<unsigned char>(text[i + offset]) : 0U;
    };
    const unsigned byte = at(0);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte == 0xc2 && at(1) < 0xa0) return true;
    if (byte == 0xef && at(1) == 0xbf && at(2) >= 0xbe) return true;
    if (byte == 0xef && at(1) == 0xb7 && at(2) >= 0x90 && at(2) <= 0xaf) return true;
    const bool plane_end = byte >= 0xf0 && (at(1) & 0x0fU) == 0x0f && at(2) == 0xbf;
    if (plane_end && at(3) >= 0xbe) return true;
  }
  return false;
}

// As a header's value it loses white space around it: another mode could come to light.
bool is_media_type(std::string_view text) {
  if (base::trim(text) != text) return false;
  const std::string_view essence = base::trim(text.substr(0, text.find(';')));
  const auto slash = essence.find('/');
  return slash != essence.npos && http::is_token(essence.substr(0, slash)) &&
         http::is_token(essence.substr(slash + 1));
}

bool is_uri_reference(std::string_view text) {
  constexpr std::string_view kNever = " \"<>\\^`{|}";
  return text.find_first_of(kNever) == text.npos;
}

bool is_absolute_uri(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == text.npos || colon == 0 || colon + 1 == text.size()) return false;
  const auto in_scheme = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '.';
  };
  return !(text[0] >= '0' && text[0] <= '9') &&
         std::ranges::all_of(text.substr(0, colon), in_scheme) && is_uri_reference(text);
}

Status check_string(std::string_view name, std::string_view value) {
  if (base::is_printable_ascii(value)) return {};
  if (!base::is_valid_utf8(value)) return fail(attribute_error(name, "is not valid UTF-8"));
  if (has_forbidden_character(value)) {
    return fail(attribute_error(name, "has a control character or a noncharacter"));
  }
  return {};
}

Status check_required(std::string_view name, std::string_view value) {
  if (value.empty()) return fail(attribute_error(name, "is missing"));
  if (base::trim(value).empty()) return fail(attribute_error(name, "is only white space"));
  return check_string(name, value);
}

Status check_optional(const CloudEvent& event) {
  for (const std::string_view name : {"datacontenttype", "dataschema", "subject", "time"}) {
    HEARTH_CHECK_OK(check_string(name, *member(event, name)));
  }
  if (!event.datacontenttype.empty() && !is_media_type(event.datacontenttype)) {
    return fail(attribute_error("datacontenttype", "is no media type"));
  }
  if (!event.dataschema.empty() && !is_absolute_uri(event.dataschema)) {
    return fail(attribute_error("dataschema", "is no absolute URI"));
  }
  if (!event.time.empty() && !base::parse_rfc3339(event.time)) {
    return fail(attribute_error("time", "is no RFC 3339 timestamp"));
  }
  return {};
}

}  // namespace

std::optional<std::string_view> CloudEvent::attribute(std::string_view name) const {
  if (const std::string* value = member(*this, name)) {
    return value->empty() ? std::nullopt : std::optional<std::string_view>(*value);
  }
  const auto found = std::ranges::find(extensions, name, &Attribute::name);
  if (found == extensions.end()) return std::nullopt;
  return found->value;
}

void CloudEvent::set(std::string_view name, std::string value) {
  if (std::string* kept = member(*this, name)) {
    *kept = std::move(value);
    return;
  }
  const auto found = std::ranges::find(extensions, name, &Attribute::name);
  if (found != extensions.end())
    found->value = std::move(value);
  else
    extensions.push_back({std::string(name), std::move(value)});
}

void CloudEvent::remove_extension(std::string_view name) {
  std::erase_if(extensions, [&](const Attribute& attribute) { return attribute.name == name; });
}

bool is_attribute_name(std::string_view name) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name != "data" && std::ranges::all_of(name, allowed);
}

Status validate(const CloudEvent& event) {
  // 0.3 is taken and delivered as 0.3; everything else is no event that we know.
  if (event.specversion.empty()) return fail(attribute_error("specversion", "is missing"));
  if (event.specversion != "1.0" && event.specversion != "0.3") {
    return fail(attribute_error(
        "specversion", fmt::format("\"{}\" is not known; 1.0 and 0.3 are", event.specversion)));
  }
  HEARTH_CHECK_OK(check_required("id", event.id));
  HEARTH_CHECK_OK(check_required("source", event.source));
  HEARTH_CHECK_OK(check_required("type", event.type));
  if (!is_uri_reference(event.source)) {
    return fail(attribute_error("source", "is no URI reference"));
  }
  HEARTH_CHECK_OK(check_optional(event));
  for (const Attribute& extension : event.extensions) {
    if (!is_attribute_name(extension.name)) {
      return fail(attribute_error(extension.name, "names have only letters a-z and digits"));
    }
    HEARTH_CHECK_OK(check_string(extension.name, extension.value));
  }
  return {};
}

Error attribute_error(std::string_view name, std::string_view problem) {
  Error error{Code::kInvalid, fmt::format("attribute \"{}\": {}", name, problem), {}};
  error.fields.push_back({std::string(name), "FieldValueInvalid", std::string(problem)});
  return error;
}

bool is_json_media_type(std::string_view media_type) {
  const std::string essence = base::lower(base::trim(media_type.substr(0, media_type.find(';'))));
  return essence.ends_with("/json") || essence.ends_with("+json");
}

}  // namespace hearth::event
