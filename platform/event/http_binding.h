// CloudEvents over HTTP: binary and structured mode, requests and responses alike (CloudEvents 1.0,
// HTTP protocol binding). Binary mode never looks into the body.
//
// Header values are percent-coded as the specification says: decoded once, encoded once.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/event/cloud_event.h"
#include "platform/http/message.h"

namespace hearth::event {

enum class Mode { kBinary, kStructured, kBatched };

inline constexpr std::string_view kStructuredMediaType = "application/cloudevents+json";
// As it is sent.
inline constexpr std::string_view kStructuredContentType =
    "application/cloudevents+json; charset=utf-8";

// By the prefix of the Content-Type, ignoring case.
Mode mode_of(std::string_view content_type);

// The event of a request or response, valid. kInvalid names the attribute; a batch is kInvalid, a
// structured format other than JSON kUnsupported.
Result<CloudEvent> decode(const http::Headers& headers, std::string body);

// The events of a request in batched mode, each valid; of one that is not the message names the
// place, from 0. kTooLarge for more than kBatchEventsMax.
inline constexpr std::size_t kBatchEventsMax = 1000;
Result<std::vector<CloudEvent>> decode_batch(const http::Headers& headers, std::string_view body);

// True when the headers claim that there is an event: ce-specversion or a structured content type.
bool claims_event(const http::Headers& headers);

// A response without an event is nullopt; one that claims an event and has none is an error.
Result<std::optional<CloudEvent>> decode_reply(const http::Headers& headers, std::string body);

// Adds ce-… and Content-Type; the body is event.data.
void encode_binary(const CloudEvent& event, http::Headers& headers);

// Not so events whose data are events: their media type as Content-Type would say that the data are
// what is sent (HTTP binding, section 3).
bool can_be_binary(const CloudEvent& event);
// The body, in binary mode where it can be; adds its headers.
std::string encode(const CloudEvent& event, http::Headers& headers);

// The JSON format; the Content-Type is kStructuredMediaType. Data that says it is JSON and isn't,
// and data that is no UTF-8, becomes data_base64.
std::string encode_structured(const CloudEvent& event);

std::string encode_header_value(std::string_view value);
// nullopt when the outcome is not UTF-8. An escape that is none stays as it is: the Go SDK sends
// values as they are, so that "100%" is common.
std::optional<std::string> decode_header_value(std::string_view value);

}  // namespace hearth::event
