#include "platform/http/message.h"

#include <algorithm>

#include "platform/base/text.h"

namespace hearth::http {

void Headers::add(std::string_view name, std::string_view value) {
  if (entries_.capacity() == 0) {
    // Room for what most messages have, at once.
    entries_.reserve(16);
    buffer_.reserve(512);
  }
  const auto at = static_cast<std::uint32_t>(buffer_.size());
  buffer_.append(name);
  buffer_.append(value);
  const auto name_size = static_cast<std::uint32_t>(name.size());
  entries_.push_back({at, name_size, at + name_size, static_cast<std::uint32_t>(value.size())});
}

void Headers::set(std::string_view name, std::string_view value) {
  // The arguments may point into buffer_, which add() may move.
  const std::string name_copy(name);
  const std::string value_copy(value);
  remove(name_copy);
  add(name_copy, value_copy);
}

void Headers::remove(std::string_view name) {
  std::erase_if(entries_, [&](const Entry& entry) {
    return base::equal_ignoring_case(
        std::string_view(buffer_).substr(entry.name_at, entry.name_size), name);
  });
}

void Headers::clear() {
  buffer_.clear();
  entries_.clear();
}

std::optional<std::string_view> Headers::get(std::string_view name) const {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Field field = at(i);
    if (field.name.size() == name.size() && base::equal_ignoring_case(field.name, name)) {
      return field.value;
    }
  }
  return std::nullopt;
}

std::string_view Headers::get_or(std::string_view name, std::string_view fallback) const {
  return get(name).value_or(fallback);
}

std::size_t Headers::count(std::string_view name) const {
  std::size_t found = 0;
  for (const Field field : *this) found += base::equal_ignoring_case(field.name, name) ? 1 : 0;
  return found;
}

Headers::Field Headers::at(std::size_t index) const {
  const Entry& entry = entries_[index];
  const std::string_view all(buffer_);
  return {all.substr(entry.name_at, entry.name_size), all.substr(entry.value_at, entry.value_size)};
}

std::string_view RequestHead::path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

std::string_view RequestHead::query() const {
  const auto at = target.find('?');
  return at == std::string::npos ? std::string_view() : std::string_view(target).substr(at + 1);
}

std::string RequestHead::host() const { return base::lower(host_name(headers.get_or("host", ""))); }

std::string_view host_name(std::string_view field) {
  if (field.starts_with('[')) {
    const auto end = field.find(']');
    return end == field.npos ? field : field.substr(0, end + 1);
  }
  field = field.substr(0, field.find(':'));
  if (field.ends_with('.')) field.remove_suffix(1);
  return field;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 507:
      return "Insufficient Storage";
    default:
      return "Unknown";
  }
}

std::optional<std::vector<QueryParameter>> parse_query(std::string_view query) {
  std::vector<QueryParameter> out;
  if (query.empty()) return out;
  for (const std::string_view part : base::split(query, '&')) {
    if (part.empty()) continue;
    const auto at = part.find('=');
    auto name = base::percent_decode(part.substr(0, at), true);
    auto value = at == part.npos ? std::optional<std::string>("")
                                 : base::percent_decode(part.substr(at + 1), true);
    if (!name || !value) return std::nullopt;
    out.push_back({std::move(*name), std::move(*value), at != part.npos});
  }
  return out;
}

namespace {
constexpr std::string_view kHopByHop[] = {
    "connection", "keep-alive",         "proxy-connection",   "te", "trailer", "transfer-encoding",
    "upgrade",    "proxy-authenticate", "proxy-authorization"};

// Bit n: one of them has n characters. Most headers are told apart by this alone.
constexpr std::uint32_t kHopByHopSizes = [] {
  std::uint32_t sizes = 0;
  for (const std::string_view name : kHopByHop) sizes |= 1U << name.size();
  return sizes;
}();
}  // namespace

bool is_hop_by_hop(std::string_view name) {
  if (name.size() >= 32 || (kHopByHopSizes >> name.size() & 1U) == 0) return false;
  return std::ranges::any_of(
      kHopByHop, [&](std::string_view hop) { return base::equal_ignoring_case(name, hop); });
}

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.contains(c);
  });
}

bool has_bare_lf(std::string_view text) {
  for (auto at = text.find('\n'); at != text.npos; at = text.find('\n', at + 1)) {
    if (at == 0 || text[at - 1] != '\r') return true;
  }
  return false;
}

bool is_field_value(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

}  // namespace hearth::http
