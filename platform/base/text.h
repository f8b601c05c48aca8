// Small text functions that the standard library lacks.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::base {

std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);  // spaces, tabs, CR, LF
std::string lower(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string replace_all(std::string text, std::string_view from, std::string_view to);

// All of the text must be the number.
template <std::integral T>
std::optional<T> parse_int(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// The candidate a user most likely meant (edit distance at most a third of the length), for
// "did you mean …?"; nullopt when none is near.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

// Percent-decoding. `plus_is_space` for query strings of forms. nullopt on a bad escape.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
// RFC 3986 unreserved characters stay; '/' stays when `keep_slash`. AWS SigV4 uses this form.
std::string percent_encode(std::string_view text, bool keep_slash = false);

// Only U+0020 to U+007E: what most text is, and told fast.
bool is_printable_ascii(std::string_view text);
bool is_valid_utf8(std::string_view text);
// Each byte that is no UTF-8 becomes U+FFFD.
std::string to_valid_utf8(std::string_view text);
// Kubernetes: DNS-1123 label, at most 63 characters of [a-z0-9-], alphanumeric at both ends.
bool is_dns_label(std::string_view text);
// Kubernetes: DNS-1123 subdomain, labels joined by dots, at most 253 characters.
bool is_dns_subdomain(std::string_view text);

}  // namespace hearth::base
