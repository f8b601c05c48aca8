#include "platform/http/head_parser.h"

#include <gtest/gtest.h>

#include "platform/http/chunked.h"

namespace hearth::http {
namespace {

Code refusal(std::string_view text) {
  RequestHead head;
  const auto parsed = parse_request_head(text, head);
  EXPECT_FALSE(parsed) << text;
  return parsed ? Code::kInternal : parsed.error().code;
}

TEST(RequestHead, ReadsMethodTargetAndFields) {
  RequestHead head;
  const auto parsed = parse_request_head(
      "POST /a/b?c=d HTTP/1.1\r\nHost: Example.localhost:80\r\nContent-Length: 5\r\n\r\nhello",
      head);
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path(), "/a/b");
  EXPECT_EQ(head.query(), "c=d");
  EXPECT_EQ(head.host(), "example.localhost");
  EXPECT_EQ((*parsed)->framing.length, 5U);
  EXPECT_TRUE((*parsed)->keep_alive);
}

TEST(RequestHead, WaitsForMoreBytes) {
  RequestHead head;
  const auto parsed = parse_request_head("GET / HTTP/1.1\r\nHost: a\r\n", head);
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(*parsed);
}

TEST(RequestHead, TakesTheHostFromAnAbsoluteTarget) {
  RequestHead head;
  const auto parsed =
      parse_request_head("GET http://fn.ns.svc/x?y HTTP/1.1\r\nHost: proxy\r\n\r\n", head);
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ(head.host(), "fn.ns.svc");
  EXPECT_EQ(head.target, "/x?y");
}

TEST(RequestHead, RefusesSmugglingShapes) {
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n"),
            Code::kBadRequest);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                    "Content-Length: 5\r\n\r\n"),
            Code::kBadRequest);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                    "Content-Length: 4\r\n\r\n"),
            Code::kBadRequest);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\n"),
            Code::kBadRequest);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\n"), Code::kBadRequest);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"),
            Code::kUnsupported);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"),
            Code::kUnsupported);
  EXPECT_EQ(refusal("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Code::kBadRequest);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), Code::kBadRequest);
}

TEST(RequestHead, RefusesABareLineFeedAsSoonAsItIsSeen) {
  for (const char* text :
       {"GET / HTTP/1.1\n", "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\nX: b",
        "GET / HTTP/1.1\r\nHost: a\r\n\n", "\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"}) {
    EXPECT_EQ(refusal(text), Code::kBadRequest) << text;
  }
}

TEST(RequestHead, LooksForBareLineFeedsInTheHeadOnly) {
  RequestHead head;
  const auto parsed =
      parse_request_head("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n\n\n\n", head);
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->framing.length, 3U);
}

TEST(RequestHead, DemandsExactlyOneHost) {
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\n\r\n"), Code::kBadRequest);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), Code::kBadRequest);
}

TEST(RequestHead, BoundsTheHead) {
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 200; ++i) many += "X-A: b\r\n";
  EXPECT_EQ(refusal(many + "\r\n"), Code::kTooLarge);
  EXPECT_EQ(refusal("GET /" + std::string(70'000, 'a')), Code::kTooLarge);
}

TEST(ResponseHead, HasNoBodyForHead204And304) {
  ResponseHead head;
  EXPECT_EQ((*parse_response_head("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true, head))
                ->framing.kind,
            BodyFraming::Kind::kNone);
  EXPECT_EQ((*parse_response_head("HTTP/1.1 204 No Content\r\n\r\n", false, head))->framing.kind,
            BodyFraming::Kind::kNone);
  EXPECT_EQ((*parse_response_head("HTTP/1.1 200 OK\r\n\r\n", false, head))->framing.kind,
            BodyFraming::Kind::kUntilClose);
}

TEST(ResponseHead, RefusesABareLineFeedAsSoonAsItIsSeen) {
  ResponseHead head;
  const auto parsed = parse_response_head("HTTP/1.1 200 OK\nContent-Length: 0\n\n", false, head);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Code::kBadRequest);
}

TEST(ResponseHead, RefusesAStatusBelow100) {
  ResponseHead head;
  const auto parsed = parse_response_head("HTTP/1.1 042 X\r\n\r\n", false, head);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Code::kBadRequest);
}

std::string decode_all(std::string_view input, std::size_t piece) {
  ChunkedDecoder decoder;
  std::string body;
  std::string window;
  while (!decoder.done()) {
    const auto step = decoder.decode(window, 7);
    if (!step) return "error: " + step.error().message;
    body += step->data;
    window.erase(0, step->consumed);
    if (step->consumed > 0) continue;
    if (input.empty()) return "error: short";
    window += input.substr(0, piece);
    input.remove_prefix(std::min(piece, input.size()));
  }
  return body;
}

TEST(Chunked, DecodesWhateverThePiecesAre) {
  for (const std::size_t piece : {1U, 2U, 3U, 100U}) {
    EXPECT_EQ(decode_all("5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: a\r\n\r\n", piece),
              "hello0123456789");
  }
}

TEST(Chunked, TheLongestSizeLineMayArriveInPieces) {
  const std::string coded = "1;" + std::string(254, 'e') + "\r\na\r\n0\r\n\r\n";
  for (const std::size_t piece : {1U, 1000U}) EXPECT_EQ(decode_all(coded, piece), "a");
}

// None of these is whole: what waited for the rest would wait for ever.
TEST(Chunked, RefusesABareLineFeedAsSoonAsItIsSeen) {
  for (const char* coded : {"5\n", "5\nhello\n0\n\n", "5;x=y\n", "5\r\nhello\n", "0\r\nA: b\n",
                            "0\r\n\n", "0\r\nA: b\nC: d\r\n"}) {
    for (const std::size_t piece : {1U, 100U}) {
      const std::string got = decode_all(coded, piece);
      EXPECT_TRUE(got.starts_with("error") && got != "error: short") << coded << ": " << got;
    }
  }
}

// Those who take a CR alone for a line's end would read another request in the same bytes.
TEST(Chunked, RefusesABareCarriageReturn) {
  for (const char* coded :
       {"5\r\r\nhello\r\n0\r\n\r\n", "\r5\r\nhello\r\n0\r\n\r\n", "5;x=\ry\r\nhello\r\n0\r\n\r\n",
        "0\r\nA: b\rC: d\r\n\r\n", "0\r\n\rA: b\r\n\r\n"}) {
    for (const std::size_t piece : {1U, 100U}) {
      const std::string got = decode_all(coded, piece);
      EXPECT_TRUE(got.starts_with("error") && got != "error: short") << coded << ": " << got;
    }
  }
}

TEST(Chunked, RefusesMalformedSizes) {
  EXPECT_TRUE(decode_all("\t5\r\nhello\r\n0\r\n\r\n", 90).starts_with("error"));
  EXPECT_TRUE(decode_all("xyz\r\n", 9).starts_with("error"));
  EXPECT_TRUE(decode_all("-1\r\n", 9).starts_with("error"));
  EXPECT_TRUE(decode_all("FFFFFFFFFFFFFFFFF\r\n", 90).starts_with("error"));
  EXPECT_TRUE(decode_all("3\r\nabcd\r\n0\r\n\r\n", 90).starts_with("error"));
}

}  // namespace
}  // namespace hearth::http
