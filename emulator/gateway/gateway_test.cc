#include "emulator/gateway/gateway.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "emulator/gateway/frames.h"
#include "emulator/gateway/instance_connection.h"
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

// The response's body comes in two pieces; what the deadline is after the first.
Task<void> read_a_piece(InstanceConnection& connection,
                        std::chrono::steady_clock::time_point& deadline) {
  connection.expire_after(std::chrono::hours(1));
  EXPECT_TRUE(co_await connection.read_head());
  EXPECT_TRUE(co_await connection.read_piece());
  deadline = connection.stream().deadline();
}

TEST(HttpConnection, TheRequestsDeadlineHoldsForItsBodyToo) {
  async::Loop loop("test");
  loop.start();
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const base::UniqueFd instance(ends[1]);
  const std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx";
  ASSERT_EQ(::send(instance.get(), answer.data(), answer.size(), 0),
            static_cast<ssize_t>(answer.size()));
  const auto before = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point deadline;
  loop.run_blocking([](async::Loop& on, int fd, auto& out) -> Task<void> {
    const auto connection = http_connection(http::Stream::adopt(on, base::UniqueFd(fd)));
    co_await read_a_piece(*connection, out);
  }(loop, ends[0], deadline));
  EXPECT_GT(deadline - before, std::chrono::minutes(59));
  EXPECT_LT(deadline - before, std::chrono::minutes(61));
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

std::shared_ptr<const RouteTable> table_of(Route hello) {
  auto table = std::make_shared<RouteTable>();
  table->by_host["hello.default"] = std::make_shared<const Route>(std::move(hello));
  return table;
}

TEST(Gateway, AskedForAHostThatItDoesNotKnowItLooksAgainInASettledTable) {
  async::Loop loop("test");
  int settled = 0;
  const Route hello{"default", "hello", {{std::make_shared<Revision>(RevisionSettings{})}}};
  Gateway* self = nullptr;
  Gateway gateway(loop, {.route_missing = [&] {
                    ++settled;
                    self->publish(table_of(hello));
                  }});
  self = &gateway;
  EXPECT_FALSE(gateway.serves("10.1.2.3"));
  EXPECT_EQ(settled, 0);
  EXPECT_TRUE(gateway.serves("hello.default"));
  EXPECT_TRUE(gateway.serves("hello.default"));
  EXPECT_EQ(settled, 1);
  EXPECT_FALSE(gateway.serves("other.default"));
}

Task<void> ask(Gateway& gateway, Error& out) {
  const auto answer =
      co_await gateway.request("hello.default", {}, "", std::chrono::milliseconds(1));
  if (!answer) out = answer.error();
}

TEST(Gateway, AnEventForARouteThatHasNoRevisionYetLooksAgainInASettledTable) {
  async::Loop loop("test");
  loop.start();
  Gateway* self = nullptr;
  const auto revision = std::make_shared<Revision>(RevisionSettings{});
  Gateway gateway(loop, {.need_instance = [](const RevisionPtr&) {},
                         .route_missing =
                             [&] { self->publish(table_of({"default", "hello", {{revision}}})); }});
  self = &gateway;
  gateway.publish(table_of({"default", "hello", {}}));
  Error error;
  loop.run_blocking(ask(gateway, error));
  EXPECT_EQ(revision->arrivals.load(), 1U) << error.message;
  loop.stop();
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
