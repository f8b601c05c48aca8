// Result<T>: a value or an Error; for everything that can fail in use.
//
// HEARTH_TRY and HEARTH_CO_TRY are statements that declare a name and return the error early.
// They are not expressions: a co_await inside a statement expression breaks some compilers.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "platform/base/error.h"

namespace hearth {

template <typename T>
using Result = std::expected<T, Error>;

using Status = Result<void>;

inline std::unexpected<Error> fail(Code code, std::string message) {
  return std::unexpected(Error{code, std::move(message), {}});
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected(std::move(error)); }

}  // namespace hearth

#define HEARTH_CONCAT_INNER(a, b) a##b
#define HEARTH_CONCAT(a, b) HEARTH_CONCAT_INNER(a, b)

#define HEARTH_TRY(name, expr)                                                   \
  auto HEARTH_CONCAT(result_, __LINE__) = (expr);                                \
  if (!HEARTH_CONCAT(result_, __LINE__))                                         \
    return std::unexpected(std::move(HEARTH_CONCAT(result_, __LINE__)).error()); \
  [[maybe_unused]] auto name = std::move(*HEARTH_CONCAT(result_, __LINE__))

#define HEARTH_CHECK_OK(expr)                                                   \
  do {                                                                          \
    auto check_result = (expr);                                                 \
    if (!check_result) return std::unexpected(std::move(check_result).error()); \
  } while (false)

#define HEARTH_CO_TRY(name, expr)                                                   \
  auto HEARTH_CONCAT(result_, __LINE__) = (expr);                                   \
  if (!HEARTH_CONCAT(result_, __LINE__))                                            \
    co_return std::unexpected(std::move(HEARTH_CONCAT(result_, __LINE__)).error()); \
  [[maybe_unused]] auto name = std::move(*HEARTH_CONCAT(result_, __LINE__))

#define HEARTH_CO_CHECK_OK(expr)                                                   \
  do {                                                                             \
    auto check_result = (expr);                                                    \
    if (!check_result) co_return std::unexpected(std::move(check_result).error()); \
  } while (false)
