// The parts of a function's status that the controller reads back: everything it must remember
// between two reconciles is here, so that it keeps no truth of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "platform/base/clock.h"
#include "platform/base/json.h"

namespace hearth::lambda {

struct BuildStatus {
  std::string source_hash;  // of spec.source and spec.runtime that this build is for
  // Of the objects that the source was read from, where the store tells it (SourceReader).
  std::string source_version;
  std::string rebuild;  // value of the rebuild annotation it answered
  std::int64_t attempt = 0;
  std::string job_name;
  std::string image;  // pull form; set when the build succeeded
  std::string content_hash;
  std::string error;
  std::string retry_at;  // RFC 3339; set while waiting to try again
};

BuildStatus read_build_status(const Json& object);
void write_build_status(Json& object, const BuildStatus& build);

// Of spec.source and spec.runtime: what a build is for.
std::string source_hash(const Json& object);

// The error of a build that its annotations cancel.
std::string cancellation(const Json& object);
bool is_cancelled(const BuildStatus& build);

// A rollback is of one spec and one content: with the next of either the function rolls forward, as
// who applied it expects. Notes what they were when it was first seen, a build that then ran
// included; behind write_build_status.
void note_rollback(Json& object);
// True when the spec or the content `built`, which are about to be deployed, are newer than the
// rollback, and its annotations were removed.
bool end_rollback(Json& object, const std::string& built);

// 10 s doubling to 5 min.
std::chrono::seconds build_retry_delay(std::int64_t attempt);

// phase and the aggregate Ready condition, which says what the phase says.
void set_phase(Json& object, const std::string& phase, const std::string& reason,
               const std::string& message, base::WallTime now);

}  // namespace hearth::lambda
