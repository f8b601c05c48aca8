// Names of images: [registry/]repository[:tag][@digest], with the grammar and the limits of the
// distribution specification (and of the reference package of the Docker distribution, which all
// clients share).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "platform/base/result.h"
#include "platform/oci/digest.h"

namespace hearth::oci {

struct Reference {
  std::string registry;    // "localhost:5001"; empty when the text names none
  std::string repository;  // "team/function"
  std::string tag;         // empty when there is none
  std::optional<Digest> digest;

  // What follows the repository: the digest when there is one, else the tag, else "latest".
  std::string version() const;
  std::string text() const;
  bool operator==(const Reference&) const = default;
};

// kInvalid names the part that is wrong. Nothing is added: no "docker.io", no "library/".
Result<Reference> parse_reference(std::string_view text);

// Path components [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* joined by '/', at most 255 characters.
bool is_repository_name(std::string_view text);
// [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}
bool is_tag(std::string_view text);

}  // namespace hearth::oci
