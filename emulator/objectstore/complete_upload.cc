#include "emulator/objectstore/complete_upload.h"

#include <algorithm>

#include <fmt/format.h>

#include "emulator/objectstore/object_headers.h"
#include "platform/base/bytes.h"
#include "platform/base/hash.h"
#include "platform/s3/checksum.h"
#include "platform/s3/error_code.h"

namespace hearth::objectstore {
namespace {

Result<Part> find_part(const std::vector<Part>& stored, const s3::CompletedPart& wanted) {
  const auto it = std::ranges::lower_bound(stored, wanted.number, {}, &Part::number);
  const bool found =
      it != stored.end() && it->number == wanted.number && it->etag == wanted.etag &&
      (wanted.checksum.empty() || it->checksum.empty() || it->checksum == wanted.checksum);
  if (found) return *it;
  return s3::s3_fail(
      "InvalidPart",
      "One or more of the specified parts could not be found.  The part may not "
      "have been uploaded, or the specified entity tag may not match the part's "
      "entity tag.",
      {{"PartNumber", fmt::format_int(wanted.number).c_str()}, {"ETag", wanted.etag}});
}

}  // namespace

Result<std::vector<Part>> choose_parts(const std::vector<Part>& stored,
                                       const std::vector<s3::CompletedPart>& wanted) {
  std::vector<Part> out;
  for (const s3::CompletedPart& part : wanted) {
    if (!out.empty() && part.number <= out.back().number) {
      return s3::s3_fail("InvalidPartOrder",
                         "The list of parts was not in ascending order. Parts must be ordered by "
                         "part number.");
    }
    HEARTH_TRY(found, find_part(stored, part));
    out.push_back(std::move(found));
  }
  for (std::size_t i = 0; i + 1 < out.size(); ++i) {
    if (out[i].size >= kPartBytesMin) continue;
    return s3::s3_fail("EntityTooSmall",
                       "Your proposed upload is smaller than the minimum allowed size",
                       {{"ProposedSize", fmt::format_int(out[i].size).c_str()},
                        {"MinSizeAllowed", fmt::format_int(kPartBytesMin).c_str()},
                        {"PartNumber", fmt::format_int(out[i].number).c_str()},
                        {"ETag", out[i].etag}});
  }
  return out;
}

std::string multipart_etag(const std::vector<Part>& parts) {
  base::Hasher md5(base::HashAlgorithm::kMd5);
  for (const Part& part : parts) md5.update(base::from_hex(part.etag).value_or(""));
  return fmt::format("{}-{}", base::hex(md5.finish()), parts.size());
}

std::string multipart_checksum(const Upload& upload, const std::vector<Part>& parts) {
  const auto algorithm = s3::parse_checksum_name(upload.checksum_algorithm);
  if (!algorithm) return {};
  std::vector<s3::PartChecksum> values;
  values.reserve(parts.size());
  for (const Part& part : parts) values.push_back({part.checksum, part.size});
  const auto value = upload.checksum_type == "FULL_OBJECT"
                         ? s3::combined_checksum(*algorithm, values)
                         : s3::composite_checksum(*algorithm, values);
  if (!value) return {};
  return StoredChecksum{upload.checksum_algorithm, upload.checksum_type, *value}.text();
}

}  // namespace hearth::objectstore
