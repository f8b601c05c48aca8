#include "platform/lambda/function_status.h"

#include <gtest/gtest.h>

#include "platform/base/yaml.h"
#include "platform/lambda/function.h"
#include "platform/lambda/status_note.h"

namespace hearth::lambda {
namespace {

// Rolled back to hello-00001 at generation 3 of what was built as "abc".
Json rolled_back() {
  Json object = base::parse_yaml("metadata: {name: hello, generation: 3}").value();
  object["metadata"]["annotations"][std::string(kRollbackTargetAnnotation)] = "hello-00001";
  object["metadata"]["annotations"][std::string(kRollbackReasonAnnotation)] = "too slow";
  write_build_status(object, {.content_hash = "abc"});
  return object;
}

TEST(Rollback, StaysWhileSpecAndContentDo) {
  Json object = rolled_back();
  EXPECT_FALSE(end_rollback(object, "def")) << "nobody noted what it was asked for at";
  note_rollback(object);
  note_rollback(object);
  EXPECT_FALSE(end_rollback(object, "abc"));
}

TEST(Rollback, EndsWithTheNextSpec) {
  Json object = rolled_back();
  note_rollback(object);
  object["metadata"]["generation"] = 4;
  note_rollback(object);  // what was noted first counts
  EXPECT_TRUE(end_rollback(object, "abc"));
  EXPECT_TRUE(object["metadata"]["annotations"].empty());
  EXPECT_FALSE(end_rollback(object, "abc"));
}

TEST(Rollback, EndsWithTheNextContent) {
  Json object = rolled_back();
  note_rollback(object);
  write_build_status(object, {.content_hash = "def"});
  note_rollback(object);
  EXPECT_TRUE(end_rollback(object, "def"));
}

TEST(Rollback, ToTheSameRevisionAskedForAgainIsAnother) {
  const std::string requested(kRollbackRequestedAnnotation);
  Json object = rolled_back();
  object["metadata"]["annotations"][requested] = "2026-01-01T00:00:00.000001Z";
  note_rollback(object);
  object["metadata"]["generation"] = 4;
  object["metadata"]["annotations"][requested] = "2026-01-01T00:00:00.000002Z";
  EXPECT_FALSE(end_rollback(object, "abc"));
  note_rollback(object);
  EXPECT_FALSE(end_rollback(object, "abc"));
  object["metadata"]["generation"] = 5;
  EXPECT_TRUE(end_rollback(object, "abc"));
}

TEST(Rollback, ItsEndIsToldOnce) {
  const Json before = rolled_back();
  Json after = before;
  EXPECT_TRUE(status_notes(before, after).empty());
  after["metadata"]["annotations"].clear();
  const auto notes = status_notes(before, after);
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_EQ(notes[0].reason, "RollbackEnded");
  EXPECT_TRUE(status_notes(after, after).empty());
}

TEST(Rollback, OfALaterSpecIsNotedAnew) {
  Json object = rolled_back();
  note_rollback(object);
  object["metadata"]["generation"] = 4;
  object["metadata"]["annotations"][std::string(kRollbackTargetAnnotation)] = "hello-00002";
  EXPECT_FALSE(end_rollback(object, "abc"));
  note_rollback(object);
  EXPECT_EQ(object["status"]["serviceStatus"]["pinned"]["generation"], 4);
  object["metadata"]["annotations"].clear();
  note_rollback(object);
  EXPECT_FALSE(object["status"]["serviceStatus"].contains("pinned"));
}

}  // namespace
}  // namespace hearth::lambda
