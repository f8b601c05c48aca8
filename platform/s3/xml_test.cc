#include "platform/s3/xml.h"

#include <gtest/gtest.h>

#include "platform/s3/error_code.h"

namespace hearth::s3 {
namespace {

TEST(Xml, WriterEscapesAndCloses) {
  XmlWriter xml("Root", false);
  xml.open("A").element("Key", "a<b>&\"'\r\x01").close().element("Size", std::int64_t{7});
  EXPECT_EQ(xml.finish(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Root><A><Key>a&lt;b&gt;&amp;&quot;&#39;"
            "&#13;\xEF\xBF\xBD</Key></A><Size>7</Size></Root>");
}

TEST(Xml, DeleteKeepsOrderAndWhiteSpace) {
  const auto request = parse_delete(
      "<?xml version='1.0'?><Delete xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>"
      "<Quiet>true</Quiet><Object><Key>a &amp; b</Key></Object>"
      "<Object><Key> </Key><VersionId>null</VersionId></Object></Delete>");
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->quiet);
  ASSERT_EQ(request->entries.size(), 2U);
  EXPECT_EQ(request->entries[0].key, "a & b");
  EXPECT_EQ(request->entries[1].key, " ");
  EXPECT_EQ(request->entries[1].version_id, "null");
}

TEST(Xml, WhatIsNoUtf8IsReplaced) {
  EXPECT_EQ(xml_escape("a\xff\xc3\xa4"), "a\xEF\xBF\xBD\xc3\xa4");
}

// Another key than the one that was meant would be deleted.
TEST(Xml, DeleteReadsTheWholeKeyOrRefuses) {
  const auto key = [](const std::string& markup) -> std::string {
    const auto request =
        parse_delete("<Delete><Object><Key>" + markup + "</Key></Object></Delete>");
    return std::string(request ? request->entries.front().key : s3_code(request.error()));
  };
  EXPECT_EQ(key("a<!-- no -->b"), "ab");
  EXPECT_EQ(key("a<![CDATA[<b>]]>c"), "a<b>c");
  EXPECT_EQ(key("&#97;&#x62;&#xe4;"), "ab\xc3\xa4");
  EXPECT_EQ(key("a&#;&#x;&#g;b"), "a&#;&#x;&#g;b");
  for (const char* markup : {"a&#0;b", "a&#x000;b", "a&#xD800;b", "a&#x110000;b", "a&#4294967296;b",
                             "a&#99999999999999999999;b"}) {
    EXPECT_EQ(key(markup), "MalformedXML") << markup;
  }
  EXPECT_EQ(key(std::string("a\0b", 3)), "MalformedXML");
  std::string endless;
  for (int i = 0; i < 500'000; ++i) endless += "&#";
  EXPECT_EQ(key(endless), endless);
}

TEST(Xml, DeleteRefusesNoneAndTooMany) {
  EXPECT_EQ(s3_code(parse_delete("<Delete/>").error()), "MalformedXML");
  std::string body = "<Delete>";
  for (int i = 0; i < 1001; ++i) body += "<Object><Key>k</Key></Object>";
  EXPECT_FALSE(parse_delete(body + "</Delete>"));
  EXPECT_FALSE(parse_delete("<Delete><Object>"));
}

TEST(Xml, CompleteUploadTakesQuotedEtagsAndChecksums) {
  const auto parts = parse_complete_upload(
      "<CompleteMultipartUpload><Part><ETag>&quot;abc&quot;</ETag><PartNumber>2</PartNumber>"
      "<ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part></CompleteMultipartUpload>");
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->front().number, 2);
  EXPECT_EQ(parts->front().etag, "abc");
  EXPECT_EQ(parts->front().checksum, "AAAAAA==");
  EXPECT_FALSE(parse_complete_upload("<CompleteMultipartUpload/>"));
  EXPECT_FALSE(parse_complete_upload(""));
}

TEST(Xml, LocationConstraint) {
  EXPECT_EQ(parse_location_constraint("").value(), "");
  EXPECT_EQ(parse_location_constraint("<CreateBucketConfiguration><LocationConstraint>eu-west-1"
                                      "</LocationConstraint></CreateBucketConfiguration>")
                .value(),
            "eu-west-1");
  EXPECT_FALSE(parse_location_constraint("<Other/>"));
}

TEST(Xml, ListPageAndErrors) {
  const auto page = parse_list_page(
      "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</"
      "NextContinuationToken><Contents><Key>a</Key><ETag>&quot;e&quot;</ETag><Size>5</Size>"
      "</Contents></ListBucketResult>");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->next_token, "t");
  EXPECT_EQ(page->objects.front().size, 5U);
  const auto error =
      parse_error_document("<Error><Code>NoSuchKey</Code><Message>m</Message></Error>");
  ASSERT_TRUE(error);
  EXPECT_EQ(s3_code(*error), "NoSuchKey");
  EXPECT_EQ(error->code, Code::kNotFound);
}

}  // namespace
}  // namespace hearth::s3
