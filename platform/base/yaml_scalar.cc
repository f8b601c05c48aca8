#include "platform/base/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>

#include "platform/base/text.h"

namespace hearth::base {
namespace {

constexpr std::array<std::string_view, 4> kNull = {"~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 9> kTrue = {"true", "True", "TRUE", "yes", "Yes",
                                                   "YES",  "on",   "On",   "ON"};
constexpr std::array<std::string_view, 9> kFalse = {"false", "False", "FALSE", "no", "No",
                                                    "NO",    "off",   "Off",   "OFF"};

struct Digits {
  std::string_view text;
  int base = 10;
};

Digits digits_of(std::string_view body) {
  if (body.starts_with("0x")) return {body.substr(2), 16};
  if (body.starts_with("0o")) return {body.substr(2), 8};
  if (body.starts_with("0b")) return {body.substr(2), 2};
  if (body.size() > 1 && body.starts_with('0') && !body.contains('.')) return {body, 8};
  return {body, 10};
}

std::optional<double> decimal(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end != text.c_str() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

Json number(std::string_view text) {
  std::string_view body = text;
  const bool negative = body.starts_with('-');
  if (negative || body.starts_with('+')) body.remove_prefix(1);
  if (body.empty()) return nullptr;
  const Digits digits = digits_of(body);
  // With its sign: the least integer has no positive counterpart.
  const auto whole =
      parse_int<std::int64_t>((negative ? "-" : "") + std::string(digits.text), digits.base);
  if (whole && !digits.text.starts_with('-')) return *whole;
  if (body.find_first_not_of("0123456789.eE+-") != std::string_view::npos) return nullptr;
  if (body.front() != '.' && (body.front() < '0' || body.front() > '9')) return nullptr;
  const auto value = decimal(std::string(text));
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace

Json plain_scalar(std::string_view text) {
  const auto is_one_of = [text](std::span<const std::string_view> words) {
    return std::ranges::find(words, text) != words.end();
  };
  if (text.empty() || is_one_of(kNull)) return nullptr;
  if (is_one_of(kTrue)) return true;
  if (is_one_of(kFalse)) return false;
  if (Json value = number(text); !value.is_null()) return value;
  return text;
}

}  // namespace hearth::base
