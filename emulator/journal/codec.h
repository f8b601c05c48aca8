// Attributes and headers as one text: "name=value" lines. Validated values hold no line feed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/clock.h"
#include "platform/event/cloud_event.h"

namespace hearth::journal {

std::string pack(const std::vector<event::Attribute>& attributes);
std::vector<event::Attribute> unpack(std::string_view text);

// What has no column of its own: specversion, datacontenttype, dataschema, time, extensions.
std::string pack_attributes(const event::CloudEvent& event);
void unpack_attributes(std::string_view text, event::CloudEvent& event);

std::int64_t to_millis(base::WallTime time);
base::WallTime from_millis(std::int64_t millis);

}  // namespace hearth::journal
