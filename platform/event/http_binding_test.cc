#include "platform/event/http_binding.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "platform/base/json.h"

namespace hearth::event {
namespace {

http::Headers binary_headers() {
  http::Headers headers;
  headers.add("Ce-Id", "1");
  headers.add("ce-source", "/tests");
  headers.add("CE-Type", "t");
  headers.add("ce-specversion", "1.0");
  return headers;
}

http::Headers structured_headers() {
  http::Headers headers;
  headers.add("Content-Type", "application/cloudevents+json; charset=utf-8");
  return headers;
}

std::string field_of(const Result<CloudEvent>& result) {
  if (result || result.error().fields.empty()) return {};
  return result.error().fields[0].field;
}

TEST(HttpBinding, DecodesBinaryWithoutLookingAtTheBody) {
  http::Headers headers = binary_headers();
  headers.add("Content-Type", "application/json");
  headers.add("ce-color", "Euro%20%e2%82%ac");
  headers.add("ce-color", "second");
  const auto event = decode(headers, "{not json");
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->type, "t");
  EXPECT_EQ(event->attribute("color"), "Euro €");
  EXPECT_EQ(event->datacontenttype, "application/json");
  EXPECT_EQ(event->data, "{not json");
}

TEST(HttpBinding, NamesWhatIsMissingOrWrong) {
  for (const char* name : {"id", "source", "type", "specversion"}) {
    http::Headers headers = binary_headers();
    headers.remove("ce-" + std::string(name));
    EXPECT_EQ(field_of(decode(headers, "")), name);
    headers.add("ce-" + std::string(name), "");
    EXPECT_EQ(field_of(decode(headers, "")), name);
  }
  http::Headers headers = binary_headers();
  headers.add("ce-bad_name", "x");
  EXPECT_EQ(field_of(decode(headers, "")), "bad_name");
  headers = binary_headers();
  headers.add("ce-subject", "%C0%A0");
  EXPECT_EQ(field_of(decode(headers, "")), "subject");
  headers = binary_headers();
  headers.add("ce-datacontenttype", "text/plain");
  EXPECT_EQ(field_of(decode(headers, "")), "datacontenttype");
}

TEST(HttpBinding, DecodesStructuredAndKeepsTheBytesOfItsData) {
  const auto event =
      decode(structured_headers(),
             R"({"specversion":"1.0","id":"1","source":"/s","type":"t","n":3,"b":true,"gone":null,)"
             R"("data": {"z":1.10,"a":[ 1,2 ],"s":"}\""} })");
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->data, R"({"z":1.10,"a":[ 1,2 ],"s":"}\""})");
  EXPECT_EQ(event->datacontenttype, "application/json");
  EXPECT_EQ(event->attribute("n"), "3");
  EXPECT_EQ(event->attribute("b"), "true");
  EXPECT_FALSE(event->attribute("gone"));
}

TEST(HttpBinding, KnowsTheFormsOfStructuredData) {
  const std::string head = R"({"specversion":"1.0","id":"1","source":"/s","type":"t",)";
  const auto read = [&](const std::string& rest) {
    return decode(structured_headers(), head + rest + "}");
  };
  EXPECT_EQ(read(R"("data":null)")->data, "null");
  EXPECT_EQ(read(R"("data":"x")")->data, "\"x\"");
  EXPECT_EQ(read(R"("datacontenttype":"text/plain","data":"x")")->data, "x");
  EXPECT_EQ(read(R"("data_base64":"AAE=")")->data, std::string("\0\1", 2));
  EXPECT_EQ(read(R"("data_base64":"AAE=")")->datacontenttype, "");
  EXPECT_EQ(field_of(read(R"("data":1,"data_base64":"AAE=")")), "data_base64");
  EXPECT_EQ(field_of(read(R"("data_base64":"%")")), "data_base64");
  EXPECT_EQ(field_of(read(R"("deep":{"a":1})")), "deep");
  EXPECT_EQ(field_of(read(R"("big":4294967296)")), "big");
  EXPECT_EQ(field_of(read(R"("big":18446744073709551615)")), "big");
  EXPECT_EQ(field_of(read(R"("big":-2147483649)")), "big");
  EXPECT_EQ(read(R"("small":-2147483648)")->attribute("small"), "-2147483648");
  EXPECT_EQ(field_of(read(R"("subject":"")")), "subject");
}

TEST(HttpBinding, OfDataThatIsThereTwiceTheLastCountsHoweverItIsSpelled) {
  const auto event =
      decode(structured_headers(), R"({"specversion":"1.0","id":"1","source":"/s","type":"t",)"
                                   R"("data":1,"d\u0061ta":2})");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->data, "2");
}

TEST(HttpBinding, DataBehindAByteOrderMarkSurviveStructuredMode) {
  http::Headers headers = binary_headers();
  headers.add("Content-Type", "application/json");
  const auto event = decode(headers, "\xEF\xBB\xBF{}");
  const auto again = decode(structured_headers(), encode_structured(*event));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->data, event->data);
}

TEST(HttpBinding, DataOfVersion03AreDecodedOnce) {
  http::Headers headers = binary_headers();
  headers.set("ce-specversion", "0.3");
  headers.add("ce-datacontentencoding", "base64");
  headers.add("Content-Type", "text/plain");
  const auto event = decode(headers, "plain");
  const auto again = decode(structured_headers(), encode_structured(*event));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->data, "plain");
}

Result<std::vector<CloudEvent>> batch(std::string_view body) {
  http::Headers headers;
  headers.add("Content-Type", "application/cloudevents-batch+json; charset=utf-8");
  return decode_batch(headers, body);
}

constexpr std::string_view kSmall = R"({"specversion":"1.0","id":"1","source":"/s","type":"t"})";

TEST(HttpBinding, TakesTheEventsOfABatchInOrderWithTheirBytes) {
  const auto events = batch(
      R"( [ {"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"b":1.00,"a":[2]}} ,)"
      "\n" +
      std::string(kSmall) + "]\r\n");
  ASSERT_TRUE(events) << events.error().message;
  ASSERT_EQ(events->size(), 2U);
  EXPECT_EQ((*events)[0].data, R"({"b":1.00,"a":[2]})");
  EXPECT_EQ((*events)[1].id, "1");
  EXPECT_TRUE(batch("[]")->empty());
}

TEST(HttpBinding, NamesTheEventOfABatchThatIsWrong) {
  const std::string small(kSmall);
  const auto missing = batch("[" + small + R"(,{"specversion":"1.0","id":"2","type":"t"}])");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "event 1: attribute \"source\": is missing");
  const std::vector<std::string> bodies = {"",
                                           "{}",
                                           small,
                                           "[" + small,
                                           "[" + small + ",]",
                                           "[\xEF\xBB\xBF" + small + "]",
                                           "[" + small + "]]",
                                           "[" + small + " " + small + "]",
                                           "[" + small + "}",
                                           "[1]",
                                           "[[]]",
                                           "[" + small + ",\"",
                                           "[,]"};
  for (const std::string& body : bodies) {
    EXPECT_FALSE(batch(body)) << body;
  }
}

TEST(HttpBinding, RefusesABatchOfTooManyEvents) {
  std::string body = "[";
  for (std::size_t i = 0; i < kBatchEventsMax; ++i) body += std::string(kSmall) + ",";
  EXPECT_EQ(batch(body + std::string(kSmall) + "]").error().code, Code::kTooLarge);
  body.back() = ']';
  EXPECT_EQ(batch(body)->size(), kBatchEventsMax);
}

// Each would be a header of a delivery, and each is looked up among the others.
TEST(HttpBinding, RefusesMoreExtensionsThanCanBeDelivered) {
  const auto event_with = [](int extensions) {
    std::string body = R"({"specversion":"1.0","id":"1","source":"/s","type":"t")";
    for (int i = 0; i < extensions; ++i) body += fmt::format(",\"x{}\":1", i);
    return decode(structured_headers(), body + "}");
  };
  EXPECT_EQ(event_with(80)->extensions.size(), 80U);
  EXPECT_EQ(event_with(81).error().message, "the event has more than 80 extension attributes");
  EXPECT_EQ(event_with(60'000).error().code, Code::kInvalid);

  http::Headers headers;
  for (const char* name : {"id", "source", "type"}) headers.add(fmt::format("ce-{}", name), "x");
  headers.add("ce-specversion", "1.0");
  for (int i = 0; i < 80; ++i) headers.add(fmt::format("ce-x{}", i), "1");
  headers.add("ce-knativeerrorcode", "500");  // what a broker adds is not the sender's
  const auto dead_letter = decode(headers, "");
  ASSERT_TRUE(dead_letter);
  EXPECT_TRUE(decode(structured_headers(), encode_structured(*dead_letter)));
  headers.add("ce-one", "more");
  EXPECT_FALSE(decode(headers, ""));
}

// In binary mode its Content-Type would say that the inner event is what was sent.
TEST(HttpBinding, AnEventAboutEventsIsEncodedAsAStructuredOne) {
  const std::string inner = R"({"specversion":"1.0","id":"2","source":"/inner","type":"i"})";
  const auto outer =
      decode(structured_headers(), R"({"specversion":"1.0","id":"1","source":"/outer","type":"o",)"
                                   R"("datacontenttype":"application/cloudevents+json","data":)" +
                                       inner + "}");
  ASSERT_TRUE(outer);
  http::Headers headers;
  const std::string body = encode(*outer, headers);
  EXPECT_EQ(*decode(headers, body), *outer);
}

TEST(HttpBinding, RefusesForeignFormatsAndBatchesWhereOneEventStands) {
  http::Headers headers;
  headers.add("Content-Type", "application/cloudevents-batch+json");
  EXPECT_EQ(decode(headers, "[]").error().code, Code::kInvalid);
  headers.set("Content-Type", "application/cloudevents-batch+avro");
  EXPECT_EQ(decode_batch(headers, "[]").error().code, Code::kUnsupported);
  headers.set("Content-Type", "application/cloudevents+avro");
  EXPECT_EQ(decode(headers, "").error().code, Code::kUnsupported);
  EXPECT_FALSE(decode(structured_headers(), "[]"));
  EXPECT_FALSE(decode(structured_headers(), "{"));
}

TEST(HttpBinding, EncodesWhatItDecodes) {
  CloudEvent event;
  event.id = "a%41 \"q\"";
  event.source = "/s";
  event.type = "t";
  event.subject = "Euro € 😀";
  event.datacontenttype = "application/json";
  event.extensions = {{"color", "red"}, {"empty", ""}};
  event.data = R"({"a": 1.0})";
  http::Headers headers;
  encode_binary(event, headers);
  EXPECT_EQ(headers.get("ce-subject"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
  EXPECT_EQ(*decode(headers, event.data), event);
  EXPECT_EQ(*decode(structured_headers(), encode_structured(event)), event);
}

TEST(HttpBinding, EncodesBytesAsBase64InJson) {
  CloudEvent event;
  event.id = "1";
  event.source = "/s";
  event.type = "t";
  event.datacontenttype = "application/json";
  event.data = "no json";
  EXPECT_TRUE(base::parse_json(encode_structured(event))->contains("data_base64"));
  EXPECT_EQ(decode(structured_headers(), encode_structured(event))->data, event.data);
}

TEST(HttpBinding, TellsRepliesFromPlainResponses) {
  http::Headers plain;
  plain.add("Content-Type", "application/json");
  EXPECT_FALSE(decode_reply(plain, "{}")->has_value());
  EXPECT_TRUE(decode_reply(binary_headers(), "x")->has_value());
  http::Headers broken = binary_headers();
  broken.remove("ce-type");
  EXPECT_FALSE(decode_reply(broken, "x"));
}

TEST(HttpBinding, DecodesQuotedValuesAndLeavesBrokenEscapes) {
  EXPECT_EQ(decode_header_value(R"("a \"b\" \\c")"), R"(a "b" \c)");
  EXPECT_EQ(decode_header_value("100%"), "100%");
  EXPECT_EQ(decode_header_value("%2541"), "%41");
  EXPECT_FALSE(decode_header_value("%ff"));
}

}  // namespace
}  // namespace hearth::event
