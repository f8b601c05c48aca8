#include "platform/oci/path_bounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/base/limits.h"
#include "platform/base/text.h"

namespace hearth::oci {
namespace {

using testing::HasSubstr;

std::string nested(std::size_t levels) {
  std::string out = "d";
  for (std::size_t i = 1; i < levels; ++i) out += "/d";
  return out;
}

TEST(PathBounds, CountsComponentsThatLeadSomewhere) {
  EXPECT_TRUE(check_path(""));
  EXPECT_TRUE(check_path(nested(limits::kPathDepthMax)));
  EXPECT_TRUE(check_path("./" + base::replace_all(nested(limits::kPathDepthMax), "/", "/.//")));
  const Status deep = check_path(nested(limits::kPathDepthMax + 1));
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code, Code::kTooLarge);
  EXPECT_THAT(deep.error().message, HasSubstr("257 levels deep; at most 256"));
}

TEST(PathBounds, NamesTheBeginningInWholeCharacters) {
  std::string path = "x";
  while (path.size() <= limits::kPathBytesMax) path += "é";
  const Status lengthy = check_path(path);
  ASSERT_FALSE(lengthy);
  EXPECT_EQ(lengthy.error().code, Code::kTooLarge);
  EXPECT_LT(lengthy.error().message.size(), 200U);
  EXPECT_TRUE(base::is_valid_utf8(lengthy.error().message));
  EXPECT_TRUE(lengthy.error().message.starts_with("xéé"));
}

}  // namespace
}  // namespace hearth::oci
