#include "emulator/journal/codec.h"

#include <algorithm>
#include <limits>

namespace hearth::journal {
namespace {

constexpr std::string_view kPacked[] = {"specversion", "datacontenttype", "dataschema", "time"};

void append_line(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append("=").append(value).append("\n");
}

template <typename Put>
void each_line(std::string_view text, Put put) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const auto equals = line.find('=');
    if (equals != line.npos) put(line.substr(0, equals), line.substr(equals + 1));
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::string pack(const std::vector<event::Attribute>& attributes) {
  std::string out;
  for (const auto& [name, value] : attributes) append_line(out, name, value);
  return out;
}

std::vector<event::Attribute> unpack(std::string_view text) {
  std::vector<event::Attribute> out;
  each_line(text, [&](std::string_view name, std::string_view value) {
    out.push_back({std::string(name), std::string(value)});
  });
  return out;
}

std::string pack_attributes(const event::CloudEvent& event) {
  std::string out;
  out.reserve(256);
  for (const std::string_view name : kPacked) {
    if (const auto value = event.attribute(name)) append_line(out, name, *value);
  }
  for (const auto& [name, value] : event.extensions) append_line(out, name, value);
  return out;
}

void unpack_attributes(std::string_view text, event::CloudEvent& event) {
  each_line(text, [&](std::string_view name, std::string_view value) {
    event.set(name, std::string(value));
  });
}

std::int64_t to_millis(base::WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

base::WallTime from_millis(std::int64_t millis) {
  // A damaged file may hold any number; WallTime ends in the years 1677 and 2262.
  constexpr std::int64_t kMillisMax = std::numeric_limits<std::int64_t>::max() / 1'000'000;
  return base::WallTime{std::chrono::milliseconds(std::clamp(millis, -kMillisMax, kMillisMax))};
}

}  // namespace hearth::journal
