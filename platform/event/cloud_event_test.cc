#include "platform/event/cloud_event.h"

#include <gtest/gtest.h>

namespace hearth::event {
namespace {

CloudEvent sample() {
  CloudEvent event;
  event.id = "1";
  event.source = "/tests";
  event.type = "com.example.test";
  return event;
}

TEST(CloudEvent, FindsAttributesAndExtensionsByName) {
  CloudEvent event = sample();
  event.set("subject", "a");
  event.set("color", "red");
  event.set("color", "blue");
  EXPECT_EQ(event.attribute("subject"), "a");
  EXPECT_EQ(event.attribute("color"), "blue");
  EXPECT_EQ(event.extensions.size(), 1U);
  EXPECT_FALSE(event.attribute("time"));
  event.remove_extension("color");
  EXPECT_FALSE(event.attribute("color"));
}

struct Wrong {
  const char* name;
  const char* value;
};

class InvalidAttribute : public testing::TestWithParam<Wrong> {};

TEST_P(InvalidAttribute, IsNamedInTheError) {
  CloudEvent event = sample();
  event.set(GetParam().name, GetParam().value);
  const Status status = validate(event);
  ASSERT_FALSE(status) << GetParam().name << " " << GetParam().value;
  EXPECT_EQ(status.error().code, Code::kInvalid);
  ASSERT_EQ(status.error().fields.size(), 1U);
  EXPECT_EQ(status.error().fields[0].field, GetParam().name);
}

INSTANTIATE_TEST_SUITE_P(
    Table, InvalidAttribute,
    testing::Values(Wrong{"id", ""}, Wrong{"id", "  "}, Wrong{"source", ""}, Wrong{"source", "a b"},
                    Wrong{"type", ""}, Wrong{"type", "\t"}, Wrong{"specversion", "19.0"},
                    Wrong{"specversion", ""}, Wrong{"time", "yesterday"},
                    Wrong{"dataschema", "relative/path"}, Wrong{"datacontenttype", "json"},
                    Wrong{"datacontenttype", " application/json"}, Wrong{"subject", "a\nb"},
                    Wrong{"color", "\x7f"}, Wrong{"color", "\xc0\xa0"}, Wrong{"color", "\xc2\x80"},
                    Wrong{"my-color", "x"}, Wrong{"data", "x"}));

TEST(CloudEvent, AcceptsBothKnownVersionsAndUnicode) {
  CloudEvent event = sample();
  event.specversion = "0.3";
  event.subject = "Euro € 😀";
  event.time = "2026-11-21T03:04:05.123456789+02:00";
  event.datacontenttype = "application/vnd.apache.thrift.binary; v=1";
  EXPECT_TRUE(validate(event));
}

}  // namespace
}  // namespace hearth::event
