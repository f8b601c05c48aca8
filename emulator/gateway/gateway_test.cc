#include "emulator/gateway/gateway.h"

#include <gtest/gtest.h>

#include "emulator/gateway/frames.h"
#include "emulator/gateway/route_table.h"
#include "platform/async/loop.h"

namespace hearth::gateway {
namespace {

TEST(Frames, ReadWhatTheyWrote) {
  std::string bytes;
  append_frame(bytes, FrameType::kData, true, "hello");
  const auto frame = parse_frame(bytes);
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->payload, "hello");
  EXPECT_TRUE((*frame)->end);
  EXPECT_EQ((*frame)->bytes, bytes.size());
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    const auto part = parse_frame(std::string_view(bytes).substr(0, cut));
    ASSERT_TRUE(part);
    EXPECT_FALSE(*part);
  }
}

TEST(Frames, RefuseWhatIsNoFrame) {
  EXPECT_FALSE(parse_frame(std::string("\xff\xff\xff\xff\x01\x00\x00\x00", 8)));
  EXPECT_FALSE(parse_frame(std::string("\x01\x00\x00\x00\x09\x00\x00\x00x", 9)));
}

TEST(Frames, CarryARequestHeadWithoutItsHopByHopFields) {
  http::RequestHead head{.method = "POST", .target = "/a?b", .headers = {}};
  head.headers.add("Host", "x");
  head.headers.add("Connection", "keep-alive");
  head.headers.add("X-Custom", "1");
  std::string bytes;
  append_request_head(bytes, head, "10.0.0.9", true);
  const auto frame = parse_frame(bytes);
  ASSERT_TRUE(frame && *frame);
  const std::string_view text = (*frame)->payload;
  EXPECT_TRUE(text.starts_with("POST /a?b\nhost: x\nx-custom: 1\n"));
  EXPECT_FALSE(text.contains("connection"));
  EXPECT_TRUE(text.contains("x-forwarded-for: 10.0.0.9\n"));
}

TEST(Frames, DropResponseFieldsThatWouldSmuggle) {
  const auto head = parse_response_head("200\ngood: 1\nbad name: 2\nalso: x\ry\n");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->headers.get("good"), "1");
  EXPECT_EQ(head->headers.size(), 1U);
  EXPECT_FALSE(parse_response_head("abc\n"));
  EXPECT_FALSE(parse_response_head("99\n"));
}

TEST(Route, PicksByPercent) {
  const auto revision = [](const char* name) {
    return std::make_shared<Revision>(RevisionSettings{.ns = "n", .name = name});
  };
  const Route route{"n", "r", {{revision("a"), 30}, {revision("b"), 70}}};
  EXPECT_EQ(route.pick(0)->settings().name, "a");
  EXPECT_EQ(route.pick(29)->settings().name, "a");
  EXPECT_EQ(route.pick(30)->settings().name, "b");
  EXPECT_EQ(route.pick(99)->settings().name, "b");
  EXPECT_EQ(Route().pick(0), nullptr);
}

TEST(Gateway, AskedForAHostThatItDoesNotKnowItLooksAgainInASettledTable) {
  async::Loop loop("test");
  int settled = 0;
  Gateway* self = nullptr;
  Gateway gateway(loop, {.route_missing = [&] {
                    ++settled;
                    auto table = std::make_shared<RouteTable>();
                    table->by_host["hello.default"] = std::make_shared<Route>();
                    self->publish(std::move(table));
                  }});
  self = &gateway;
  EXPECT_FALSE(gateway.serves("10.1.2.3"));
  EXPECT_EQ(settled, 0);
  EXPECT_TRUE(gateway.serves("hello.default"));
  EXPECT_TRUE(gateway.serves("hello.default"));
  EXPECT_EQ(settled, 1);
  EXPECT_FALSE(gateway.serves("other.default"));
}

TEST(RouteTable, NamesTheNearestFunctionsOfTheNamespace) {
  RouteTable table;
  for (const char* name : {"default/hello", "default/payment", "default/h-x", "other/helo"}) {
    table.by_name[name] = std::make_shared<Route>();
  }
  EXPECT_EQ(table.near_misses("default", "helo"), std::vector<std::string>{"hello"});
  EXPECT_TRUE(table.near_misses("default", "invoice").empty());
}

}  // namespace
}  // namespace hearth::gateway
