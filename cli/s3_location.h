// What the commands of `hearth s3` copy from and to: s3://bucket/key, a path of this machine, or
// "-". Pure: nothing is looked up.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "platform/base/result.h"

namespace hearth::cli {

struct S3Location {
  std::string bucket;
  std::string key;  // may be empty, or a prefix

  std::string text() const;  // s3://bucket/key
};

bool is_s3_location(std::string_view text);
// kBadRequest unless it is s3://BUCKET[/KEY] with a valid bucket name.
Result<S3Location> parse_s3_location(const std::string& text);
// For CLI11: "" or what is wrong.
std::string check_s3_location(const std::string& text);

// The key for a file that is copied to `to`: a location that is a bucket or ends with "/" is a
// folder and takes the file's name.
std::string key_for(const S3Location& to, const std::string& file_name);
// "photos/" for a prefix that stands for a folder; "" stays "".
std::string as_folder(std::string prefix);
// Where an object that is `relative` to the copied prefix goes below `folder`. kInvalid for names
// that would lead out of it ("../x", "/x"): keys come from others.
Result<std::filesystem::path> path_below(const std::filesystem::path& folder,
                                         const std::string& relative);
// "text/html" for "a.html"; "binary/octet-stream" for what is not known, as S3 says it.
std::string_view content_type_of_name(std::string_view name);

}  // namespace hearth::cli
