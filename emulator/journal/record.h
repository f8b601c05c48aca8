// What the journal keeps, as values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/clock.h"
#include "platform/event/cloud_event.h"

namespace hearth::journal {

// The place of an event in the journal; grows with every event, never used twice.
using Sequence = std::int64_t;
// A trigger's number in the journal, one a uid.
using TriggerId = std::int64_t;

struct Trigger {
  std::string uid;
  std::string ns;
  std::string name;

  bool operator==(const Trigger&) const = default;
};

// An accepted event. Immutable once it is written.
struct Entry {
  std::string ns;
  std::string broker;
  base::WallTime received{};
  event::CloudEvent event;
  // Headers of the producer's request that travel on (traceparent, x-request-id, …).
  std::vector<event::Attribute> headers;
};
using EntryPtr = std::shared_ptr<const Entry>;

enum class DeliveryState { kPending = 0, kDelivered = 1, kDeadLettered = 2, kPurged = 3 };

std::string_view state_name(DeliveryState state);  // "pending", "delivered", …

// A waiting delivery of one trigger.
struct Pending {
  Sequence sequence = 0;
  int attempts = 0;  // that have failed
  base::WallTime not_before{};
};

// What an attempt came to.
struct Outcome {
  Sequence sequence = 0;
  TriggerId trigger = 0;
  DeliveryState state = DeliveryState::kDelivered;  // kPending: try again at not_before
  int attempts = 0;                                 // made so far
  base::WallTime not_before{};
  int code = 0;        // HTTP status of the last answer; 0 when none came
  std::string reason;  // why it failed
  // For dead letters.
  std::string destination;
  std::string body_excerpt;
  bool has_sink = false;  // a dead letter sink is to get it
};

struct Delivery {
  Trigger trigger;
  DeliveryState state = DeliveryState::kPending;
  int attempts = 0;
  base::WallTime not_before{};
  base::WallTime updated{};
  int code = 0;
  std::string reason;
};

struct Event {
  Sequence sequence = 0;
  EntryPtr entry;
  std::vector<Delivery> deliveries;
};

enum class SinkState { kNone = 0, kDue = 1, kSent = 2, kFailed = 3 };

std::string_view sink_state_name(SinkState state);  // "none", "due", "sent", "failed"

struct DeadLetter {
  std::int64_t id = 0;
  Sequence sequence = 0;
  TriggerId trigger_id = 0;
  Trigger trigger;
  std::string broker;
  int attempts = 0;
  int code = 0;
  std::string reason;
  std::string destination;
  std::string body_excerpt;
  base::WallTime at{};
  SinkState sink = SinkState::kNone;
  // Of the event, for lists.
  std::string event_id;
  std::string event_type;
  std::string event_source;
  std::string event_subject;
};

}  // namespace hearth::journal
