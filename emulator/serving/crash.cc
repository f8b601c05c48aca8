#include "emulator/serving/crash.h"

#include <cstring>

#include <fmt/format.h>

namespace hearth::serving {
namespace {

std::string exit_text(int code) {
  const char* signal = code > 128 ? ::sigabbrev_np(code - 128) : nullptr;
  return signal != nullptr ? fmt::format("exit code {}, SIG{}", code, signal)
                           : fmt::format("exit code {}", code);
}

bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

}  // namespace

std::string_view last_whole_lines(std::string_view text, std::size_t bytes_max) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (text.size() <= bytes_max) return text;
  // With the byte before: it may be the end of a line.
  const std::size_t begin = text.size() - bytes_max;
  if (const auto end = text.find('\n', begin - 1); end != text.npos) return text.substr(end + 1);
  text.remove_prefix(begin);
  while (!text.empty() && continues_character(text.front())) text.remove_prefix(1);
  return text;
}

std::string crash_message(const Crash& crash, std::chrono::seconds wait, std::size_t bytes_max) {
  std::string out = crash.reason;
  if (!crash.instance.empty()) out += fmt::format(" ({})", exit_text(crash.exit_code));
  out += fmt::format("; the next attempt waits {} s", wait.count());
  if (!crash.message.empty()) out += ": " + crash.message;
  if (crash.last_lines.empty() || out.size() + 1 >= bytes_max) return out;
  const std::string_view lines = last_whole_lines(crash.last_lines, bytes_max - out.size() - 1);
  return lines.empty() ? out : fmt::format("{}\n{}", out, lines);
}

}  // namespace hearth::serving
