#include "cli/s3_location.h"

#include <array>

#include <fmt/format.h>

#include "platform/base/text.h"
#include "platform/s3/names.h"

namespace hearth::cli {
namespace {

constexpr std::string_view kScheme = "s3://";

constexpr std::array<std::pair<std::string_view, std::string_view>, 21> kContentTypes{{
    {"css", "text/css"},        {"csv", "text/csv"},          {"gif", "image/gif"},
    {"go", "text/x-go"},        {"gz", "application/gzip"},   {"htm", "text/html"},
    {"html", "text/html"},      {"jpeg", "image/jpeg"},       {"jpg", "image/jpeg"},
    {"js", "text/javascript"},  {"json", "application/json"}, {"md", "text/markdown"},
    {"pdf", "application/pdf"}, {"png", "image/png"},         {"py", "text/x-python"},
    {"svg", "image/svg+xml"},   {"tar", "application/x-tar"}, {"txt", "text/plain"},
    {"xml", "application/xml"}, {"yaml", "application/yaml"}, {"zip", "application/zip"},
}};

}  // namespace

std::string S3Location::text() const {
  return key.empty() ? fmt::format("{}{}", kScheme, bucket)
                     : fmt::format("{}{}/{}", kScheme, bucket, key);
}

bool is_s3_location(std::string_view text) { return text.starts_with(kScheme); }

Result<S3Location> parse_s3_location(const std::string& text) {
  if (!is_s3_location(text)) {
    return fail(Code::kBadRequest, fmt::format("\"{}\" is not of the form s3://BUCKET/KEY", text));
  }
  const std::string rest = text.substr(kScheme.size());
  const auto slash = rest.find('/');
  S3Location out{rest.substr(0, slash), slash == rest.npos ? "" : rest.substr(slash + 1)};
  if (!s3::check_bucket_name(out.bucket)) {
    return fail(
        Code::kBadRequest,
        fmt::format("\"{}\": \"{}\" is no bucket name: 3 to 63 of a-z, 0-9, \"-\" and \".\"", text,
                    out.bucket));
  }
  return out;
}

std::string check_s3_location(const std::string& text) {
  const auto location = parse_s3_location(text);
  return location ? "" : location.error().message;
}

std::string key_for(const S3Location& to, const std::string& file_name) {
  return to.key.empty() || to.key.ends_with('/') ? to.key + file_name : to.key;
}

std::string as_folder(std::string prefix) {
  if (!prefix.empty() && !prefix.ends_with('/')) prefix += '/';
  return prefix;
}

Result<std::filesystem::path> path_below(const std::filesystem::path& folder,
                                         const std::string& relative) {
  bool leaves = relative.empty() || relative.starts_with('/') || relative.contains('\0');
  for (const std::string_view part : base::split(relative, '/')) {
    leaves = leaves || part == ".." || part == "." || part.empty();
  }
  if (leaves) {
    return fail(Code::kInvalid,
                fmt::format("the key \"{}\" is no path below {}; copy it by its name to a file of "
                            "your choice",
                            relative, folder.string()));
  }
  return folder / relative;
}

std::string_view content_type_of_name(std::string_view name) {
  const auto dot = name.rfind('.');
  const std::string extension = dot == name.npos ? "" : base::lower(name.substr(dot + 1));
  for (const auto& [known, type] : kContentTypes) {
    if (known == extension) return type;
  }
  return "binary/octet-stream";
}

}  // namespace hearth::cli
