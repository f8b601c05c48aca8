#include "emulator/objectstore/tags.h"

#include <unordered_set>

#include <fmt/format.h>

#include "emulator/objectstore/errors.h"
#include "platform/base/text.h"
#include "platform/http/message.h"
#include "platform/s3/error_code.h"

namespace hearth::objectstore {

Result<std::string> encode_tags(const s3::Tags& tags, std::size_t count_max) {
  if (tags.size() > count_max) {
    return s3::s3_fail("BadRequest",
                       fmt::format("{} tags cannot be greater than {}",
                                   count_max == kObjectTagsMax ? "Object" : "Bucket", count_max));
  }
  std::unordered_set<std::string> seen;
  std::string out;
  for (const auto& [key, value] : tags) {
    if (key.empty() || key.size() > 128) {
      return s3::s3_fail("InvalidTag", "The TagKey you have provided is invalid",
                         {{"TagKey", key}});
    }
    if (value.size() > 256) {
      return s3::s3_fail("InvalidTag", "The TagValue you have provided is invalid",
                         {{"TagKey", key}, {"TagValue", value}});
    }
    if (!seen.insert(key).second) {
      return s3::s3_fail("InvalidTag", "Cannot provide multiple Tags with the same key",
                         {{"TagKey", key}});
    }
    if (!out.empty()) out.push_back('&');
    out += base::percent_encode(key) + "=" + base::percent_encode(value);
  }
  return out;
}

Result<std::string> normalize_tags(std::string_view form) {
  const auto parameters = http::parse_query(form);
  if (!parameters) {
    return fail(
        invalid_argument("The header 'x-amz-tagging' shall be encoded as UTF-8 then "
                         "URLEncoded URL query parameters without tag name duplicates.",
                         "x-amz-tagging", form));
  }
  s3::Tags tags;
  for (const http::QueryParameter& parameter : *parameters) {
    tags.emplace_back(parameter.name, parameter.value);
  }
  return encode_tags(tags, kObjectTagsMax);
}

std::string tagging_document(std::string_view stored) {
  s3::XmlWriter xml("Tagging");
  xml.open("TagSet");
  const auto tags = http::parse_query(stored);
  for (const http::QueryParameter& tag : tags.value_or(std::vector<http::QueryParameter>())) {
    xml.open("Tag").element("Key", tag.name).element("Value", tag.value).close();
  }
  return xml.finish();
}

}  // namespace hearth::objectstore
