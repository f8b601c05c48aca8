// Tag sets: XML and the form of x-amz-tagging, which is also how they are stored.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "platform/base/result.h"
#include "platform/s3/xml.h"

namespace hearth::objectstore {

inline constexpr std::size_t kObjectTagsMax = 10;
inline constexpr std::size_t kBucketTagsMax = 50;

// Unique keys of 1 to 128, values of up to 256 bytes. InvalidTag or BadRequest.
Result<std::string> encode_tags(const s3::Tags& tags, std::size_t count_max);
// Checks a form-encoded x-amz-tagging and brings it into the stored form.
Result<std::string> normalize_tags(std::string_view form);
std::string tagging_document(std::string_view stored);

}  // namespace hearth::objectstore
