// S3's XML: a writer without a document tree for answers, and the bodies clients send. Callers
// bound what is parsed; no entity but the five of XML is expanded. MalformedXML on failure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/base/result.h"

namespace hearth::s3 {

inline constexpr std::string_view kXmlNamespace = "http://s3.amazonaws.com/doc/2006-03-01/";

class XmlWriter {
 public:
  // Starts the document with its root; `with_namespace` is false for error documents.
  explicit XmlWriter(std::string_view root, bool with_namespace = true);

  XmlWriter& open(std::string_view name);
  XmlWriter& close();  // the innermost open element
  XmlWriter& element(std::string_view name, std::string_view text);
  XmlWriter& element(std::string_view name, std::int64_t number);
  XmlWriter& flag(std::string_view name, bool value);
  // Markup that is well-formed already.
  XmlWriter& raw(std::string_view markup);
  // Closes what is open and gives the document away.
  std::string finish();

 private:
  std::string out_;
  std::vector<std::string> open_;
};

// Escapes the five specials, and CR and other controls as references; what XML 1.0 cannot express
// becomes U+FFFD.
std::string xml_escape(std::string_view text);

struct DeleteEntry {
  std::string key;
  std::string version_id;  // empty: none given
  std::string etag;        // empty: no condition
};
struct DeleteRequest {
  std::vector<DeleteEntry> entries;  // 1 to 1000
  bool quiet = false;
};
Result<DeleteRequest> parse_delete(std::string_view body);

struct CompletedPart {
  int number = 0;
  std::string etag;      // without quotes
  std::string checksum;  // base64, whatever its algorithm; empty when none was sent
};
// At least one part. The order is the caller's to check (InvalidPartOrder).
Result<std::vector<CompletedPart>> parse_complete_upload(std::string_view body);

// The region of CreateBucketConfiguration; empty for an empty body or no constraint.
Result<std::string> parse_location_constraint(std::string_view body);

using Tags = std::vector<std::pair<std::string, std::string>>;
Result<Tags> parse_tagging(std::string_view body);

struct ListedObject {
  std::string key;
  std::string etag;
  std::uint64_t size = 0;
  std::string last_modified;  // RFC 3339
};
struct ListPage {
  std::vector<ListedObject> objects;
  std::vector<std::string> prefixes;  // what a delimiter folded
  std::string next_token;             // empty: the last page
};
// An answer to ListObjectsV2 without encoding-type.
Result<ListPage> parse_list_page(std::string_view body);

struct ListedBucket {
  std::string name;
  std::string created;  // RFC 3339
};
Result<std::vector<ListedBucket>> parse_bucket_list(std::string_view body);

// The id of InitiateMultipartUploadResult.
Result<std::string> parse_upload_id(std::string_view body);

// Code and message of an error document, as s3_error(); nullopt when it is none.
std::optional<Error> parse_error_document(std::string_view body);

}  // namespace hearth::s3
