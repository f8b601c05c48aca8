// Values in Dockerfile words: $name, ${name}, ${name:-default}, ${name:+text}, quotes, escapes
// (Dockerfile reference §environment-replacement).
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/base/result.h"

namespace hearth::builder {

// Of what variables put into the words of one instruction.
inline constexpr std::size_t kSubstitutedBytesMax = 1024 * 1024;

using Variables = std::map<std::string, std::string, std::less<>>;

// The words of one instruction. The variables are seen as they are at each call.
class Substitution {
 public:
  Substitution(const Variables& variables, char escape) : variables_(variables), escape_(escape) {}

  // Variables replaced, quotes removed, escapes resolved. Unset variables are empty. kTooLarge when
  // the values of this word and those before it are over kSubstitutedBytesMax.
  Result<std::string> of(std::string_view word);
  Result<std::vector<std::string>> of_all(const std::vector<std::string>& words);

 private:
  const Variables& variables_;
  char escape_;
  std::size_t bytes_left_ = kSubstitutedBytesMax;
};

// One word alone.
Result<std::string> substitute(std::string_view word, const Variables& variables, char escape);

// ENV, LABEL: a=b c="d e", or the old form `name rest of the line`.
Result<std::vector<std::pair<std::string, std::string>>> parse_pairs(
    const std::vector<std::string>& words, std::string_view text, const Variables& variables,
    char escape);

}  // namespace hearth::builder
