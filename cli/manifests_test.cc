#include "cli/manifests.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Manifests : public testing::Test {
 public:
  Manifests() : folder_(fs::path(testing::TempDir()) / "hearth-manifests") {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Manifests() override { fs::remove_all(folder_); }

 protected:
  std::string write(const std::string& name, const std::string& text) {
    const fs::path path = folder_ / name;
    std::ofstream(path) << text;
    return path.string();
  }

  fs::path folder_;
};

constexpr const char* kTwo =
    "# a comment\n"
    "---\n"
    "apiVersion: v1\n"
    "kind: ConfigMap\n"
    "metadata: {name: one}\n"
    "---\n"
    "---\n"
    "apiVersion: v1\n"
    "kind: ConfigMap\n"
    "metadata:\n"
    "  name: two\n"
    "data:\n"
    "  key: value\n";

TEST_F(Manifests, OfOneFileComeInTheirOrderAndKnowTheirPlaces) {
  const std::string file = write("two.yaml", kTwo);
  const auto loaded = load_manifests({file});
  ASSERT_TRUE(loaded) << loaded.error().message;
  ASSERT_EQ(loaded->size(), 2U);
  EXPECT_EQ((*loaded)[0].where("metadata.name"), file + ":5:12");
  EXPECT_EQ((*loaded)[1].where("metadata.name"), file + ":11:3");
  EXPECT_EQ((*loaded)[1].where("data.key"), file + ":13:3");
}

TEST_F(Manifests, PointToTheDeepestPartThatIsThere) {
  const std::string file = write("two.yaml", kTwo);
  const auto loaded = load_manifests({file});
  ASSERT_TRUE(loaded);
  EXPECT_EQ((*loaded)[1].where("data.missing.deeper"), file + ":12:1");
}

TEST_F(Manifests, OfAListAreTakenApartAndKeepTheirPlaces) {
  const std::string file = write("list.json",
                                 "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\n"
                                 "  {\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\",\n"
                                 "   \"metadata\": {\"name\": \"a\"}},\n"
                                 "  {\"apiVersion\": \"v1\", \"kind\": \"Secret\",\n"
                                 "   \"metadata\": {\"name\": \"b\"}}]}\n");
  const auto loaded = load_manifests({file});
  ASSERT_TRUE(loaded) << loaded.error().message;
  ASSERT_EQ(loaded->size(), 2U);
  EXPECT_EQ((*loaded)[1].where("metadata"), file + ":5:4");
}

TEST_F(Manifests, OfAFolderComeByName) {
  write("b.yml", "apiVersion: v1\nkind: Secret\nmetadata: {name: b}\n");
  write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
  write("notes.txt", "not a manifest");
  const auto loaded = load_manifests({folder_.string()});
  ASSERT_TRUE(loaded) << loaded.error().message;
  ASSERT_EQ(loaded->size(), 2U);
  EXPECT_EQ(resource::name_of((*loaded)[0].object), "a");
}

TEST_F(Manifests, ThatAreNoYamlNameLineAndColumn) {
  const std::string file = write("torn.yaml", "a: 1\nb: [\n");
  const auto loaded = load_manifests({file});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::kInvalid);
  EXPECT_THAT(loaded.error().message, HasSubstr(file + ":3:1: invalid YAML: "));
}

TEST_F(Manifests, WithAKeyTwiceNameTheSecond) {
  const std::string file = write("twice.yaml", "kind: A\napiVersion: v1\nkind: B\n");
  const auto loaded = load_manifests({file});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message, file + ":3:1: key \"kind\" already set in map");
}

TEST_F(Manifests, WithoutAKindAreRefusedWithTheirPlace) {
  const std::string file = write("kindless.yaml", "---\n# x\napiVersion: v1\n");
  const auto loaded = load_manifests({file});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message, file + ":3:1: kind: is missing");
}

TEST_F(Manifests, ThatAreNotThereAreNotFound) {
  const auto loaded = load_manifests({(folder_ / "no.yaml").string()});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::kNotFound);
  EXPECT_EQ(load_manifests({folder_.string()}).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace hearth::cli
