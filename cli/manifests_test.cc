#include "cli/manifests.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/base/random_id.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Manifests : public testing::Test {
 public:
  Manifests()
      : folder_(fs::path(testing::TempDir()) / ("hearth-manifests-" + base::random_hex(8))) {
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

TEST_F(Manifests, InJsonMayHoldEverythingThatJsonCanSay) {
  const std::string key(2'000, 'k');
  const std::string file =
      write("all.json",
            "\n{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\",\n"
            "\t\"data\": {\"party\": \"\\ud83c\\udf89\\u00e9\\/\\n\", \"lone\": "
            "\"\\ud83c!\",\n\"n\": [1, -2.5, 1e3, true, null, {}, []], \"" +
                key + "\": \"\"}}");
  const auto loaded = load_manifests({file});
  ASSERT_TRUE(loaded) << loaded.error().message;
  const Json& data = (*loaded)[0].object["data"];
  EXPECT_EQ(data["party"], "\U0001F389\u00e9/\n");
  EXPECT_EQ(data["lone"], "\uFFFD!");
  EXPECT_EQ(data["n"], Json({1, -2.5, 1000.0, true, nullptr, Json::object(), Json::array()}));
  EXPECT_TRUE(data.contains(key));
  EXPECT_EQ((*loaded)[0].where("data.lone"), file + ":3:46");
}

TEST_F(Manifests, InJsonMayFollowOneAnother) {
  const std::string one = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",";
  const std::string file = write("stream.json", one + "\"metadata\":{\"name\":\"a\"}}" + one +
                                                    "\n \"metadata\":{\"name\":\"b\"}}\n");
  const auto loaded = load_manifests({file});
  ASSERT_TRUE(loaded) << loaded.error().message;
  ASSERT_EQ(loaded->size(), 2U);
  EXPECT_EQ(resource::name_of((*loaded)[1].object), "b");
  EXPECT_EQ((*loaded)[1].where("metadata.name"), file + ":2:14");
}

TEST_F(Manifests, InTornJsonNameThePlaceInJsonsWords) {
  const auto error_of = [&](const std::string& text) {
    const auto loaded = load_manifests({write("torn.json", text)});
    return loaded ? "none" : loaded.error().message;
  };
  EXPECT_THAT(error_of("{\"a\": \"\\ud83c\\udf89\",\n \"b\": [1, 2}"),
              HasSubstr("torn.json:2:12: invalid JSON: expected ',' or ']'"));
  EXPECT_THAT(error_of("{\"a\": \"\\x\"}"), HasSubstr("an escape that JSON does not have"));
  EXPECT_THAT(error_of("{\"a\": ]}"), HasSubstr("torn.json:1:7: invalid JSON: expected a value"));
  EXPECT_THAT(error_of("{\"kind\": \"A\", \"kind\": \"B\"}"),
              HasSubstr("torn.json:1:15: key \"kind\" already set in map"));
}

TEST_F(Manifests, InYamlMayBeginWithABraceToo) {
  const auto loaded = load_manifests({write(
      "flow.yaml", "{apiVersion: v1, kind: ConfigMap}\n---\n{\"apiVersion\": v1, 'kind': A}\n")});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->size(), 2U);
}

TEST_F(Manifests, MayBeginWithAByteOrderMark) {
  const auto loaded =
      load_manifests({write("windows.yaml",
                            "\xEF\xBB\xBF"
                            "apiVersion: v1\nkind: ConfigMap\n"),
                      write("windows.json", "\xEF\xBB\xBF{\"apiVersion\":\"v1\",\"kind\":\"A\"}")});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->size(), 2U);
  EXPECT_THAT((*loaded)[0].where("kind"), testing::EndsWith("windows.yaml:2:1"));
}

TEST_F(Manifests, WhoseMetadataIsNoMappingAreRefusedWithTheirPlace) {
  const std::string head = "apiVersion: v1\nkind: ConfigMap\n";
  const auto error_of = [&](const std::string& text) {
    const auto loaded = load_manifests({write("odd.yaml", head + text)});
    return loaded ? "none" : loaded.error().message;
  };
  EXPECT_THAT(error_of("metadata: x\n"), HasSubstr("odd.yaml:3:1: metadata: expected a mapping"));
  EXPECT_THAT(error_of("metadata: {name: x, annotations: [a]}\n"),
              HasSubstr("odd.yaml:3:21: metadata.annotations: expected a mapping"));
  EXPECT_EQ(error_of("metadata: {name: x, annotations: null}\n"), "none");
}

TEST(Manifest, WithoutATextIsPlacedByItsOrigin) {
  const Manifest made{.origin = "folder", .object = {{"kind", "ConfigMap"}}};
  EXPECT_EQ(made.where("spec.x"), "folder");
}

TEST_F(Manifests, ThatAreNotThereAreNotFound) {
  const auto loaded = load_manifests({(folder_ / "no.yaml").string()});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::kNotFound);
  EXPECT_EQ(load_manifests({folder_.string()}).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace hearth::cli
