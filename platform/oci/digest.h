// A content digest of OCI: "sha256:" and 64 lower-case hex digits. A value that exists is valid.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "platform/base/result.h"

namespace hearth::oci {

class Digest {
 public:
  // kUnsupported for another algorithm of the right form (sha512), kInvalid for anything else.
  static Result<Digest> parse(std::string_view text);
  static Digest of(std::string_view bytes);
  // From 64 hex digits as BlobStore names blobs; anything else is a bug.
  static Digest from_hex(std::string_view hex);
  // From the 32 bytes that a Hasher yields.
  static Digest from_raw(std::string_view raw);

  const std::string& text() const { return text_; }
  std::string_view hex() const { return std::string_view(text_).substr(kPrefix.size()); }

  auto operator<=>(const Digest&) const = default;

 private:
  static constexpr std::string_view kPrefix = "sha256:";
  explicit Digest(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace hearth::oci
