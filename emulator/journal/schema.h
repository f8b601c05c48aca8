// The journal's tables (room "journal" of sqlite::migrate).
#pragma once

#include <span>
#include <string_view>

namespace hearth::journal {

inline constexpr std::string_view kRoom = "journal";
extern const std::span<const std::string_view> kMigrations;

}  // namespace hearth::journal
