// What the fuzzers share: views of the input, and checks that end the process, which libFuzzer
// reports together with the input. Text formats are read as they are; where a fuzzer needs several
// texts, lines or the first byte part them, so that seeds can be written by hand.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "platform/base/result.h"

namespace hearth::fuzz {

inline std::string_view view(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline void require(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

// A refused input says why.
inline void require_reason(const Error& error) {
  require(!error.message.empty(), "an error has a message");
}

// The first byte of `rest` as one of `count` choices; '0' is the first.
inline std::size_t take_choice(std::string_view& rest, std::size_t count) {
  if (rest.empty()) return 0;
  const auto byte = static_cast<unsigned char>(rest.front());
  rest.remove_prefix(1);
  return static_cast<unsigned char>(byte - '0') % count;
}

// What stands before the first `separator`, which is dropped; all when there is none.
inline std::string_view take_until(std::string_view& rest, char separator) {
  const auto end = rest.find(separator);
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  return taken;
}

}  // namespace hearth::fuzz
