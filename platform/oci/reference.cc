#include "platform/oci/reference.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::oci {
namespace {

constexpr std::size_t kNameMax = 255;
constexpr std::size_t kTagMax = 128;

bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_alnum(char c) { return is_lower_alnum(c) || (c >= 'A' && c <= 'Z'); }

// One separator stands between runs of letters and digits: '.', '_', "__" or any number of '-'.
bool is_separator(std::string_view text) {
  return text == "." || text == "_" || text == "__" ||
         std::ranges::all_of(text, [](char c) { return c == '-'; });
}

bool is_component(std::string_view text) {
  if (text.empty() || !is_lower_alnum(text.front()) || !is_lower_alnum(text.back())) return false;
  std::size_t at = 0;
  while (at < text.size()) {
    while (at < text.size() && is_lower_alnum(text[at])) ++at;
    const std::size_t start = at;
    while (at < text.size() && !is_lower_alnum(text[at])) ++at;
    if (at > start && !is_separator(text.substr(start, at - start))) return false;
  }
  return true;
}

// As Docker decides: the first component is a host when it has a dot or a port or is "localhost".
bool looks_like_registry(std::string_view first) {
  return first == "localhost" || first.contains('.') || first.contains(':') ||
         std::ranges::any_of(first, [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool is_registry(std::string_view text) {
  std::string_view host = text;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    const bool address = text.find_first_not_of("0123456789abcdefABCDEF:.", 1) == end;
    if (end == text.npos || end == 1 || !address) return false;
    const std::string_view port = text.substr(end + 1);
    return port.empty() || (port[0] == ':' && base::parse_int<std::uint16_t>(port.substr(1)));
  }
  if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    if (!base::parse_int<std::uint16_t>(text.substr(colon + 1))) return false;
  }
  return base::is_dns_subdomain(base::lower(host));
}

}  // namespace

bool is_repository_name(std::string_view text) {
  if (text.empty() || text.size() > kNameMax) return false;
  return std::ranges::all_of(base::split(text, '/'), is_component);
}

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > kTagMax) return false;
  if (!is_alnum(text[0]) && text[0] != '_') return false;
  return std::ranges::all_of(
      text, [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

std::string Reference::version() const {
  if (digest) return digest->text();
  return tag.empty() ? "latest" : tag;
}

std::string Reference::text() const {
  std::string out = registry.empty() ? repository : registry + "/" + repository;
  if (!tag.empty()) out += ":" + tag;
  if (digest) out += "@" + digest->text();
  return out;
}

Result<Reference> parse_reference(std::string_view text) {
  Reference out;
  std::string_view rest = text;
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    HEARTH_TRY(digest, Digest::parse(rest.substr(at + 1)));
    out.digest = digest;
    rest = rest.substr(0, at);
  }
  if (const std::size_t slash = rest.find('/');
      slash != std::string_view::npos && looks_like_registry(rest.substr(0, slash))) {
    out.registry = rest.substr(0, slash);
    if (!is_registry(out.registry)) {
      return fail(Code::kInvalid, fmt::format("\"{}\" is no registry host", out.registry));
    }
    rest = rest.substr(slash + 1);
  }
  if (const std::size_t colon = rest.rfind(':'); colon != std::string_view::npos) {
    out.tag = rest.substr(colon + 1);
    if (!is_tag(out.tag)) return fail(Code::kInvalid, fmt::format("\"{}\" is no tag", out.tag));
    rest = rest.substr(0, colon);
  }
  if (!is_repository_name(rest)) {
    return fail(Code::kInvalid, fmt::format("\"{}\" is no repository name", rest));
  }
  out.repository = rest;
  if (out.registry.size() + out.repository.size() + 1 > kNameMax) {
    return fail(Code::kInvalid,
                fmt::format("registry and repository are over {} characters", kNameMax));
  }
  return out;
}

}  // namespace hearth::oci
