#include "emulator/apiserver/openapi_v2.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "emulator/apiserver/openapi.h"
#include "emulator/apiserver/protobuf_wire.h"

namespace hearth::apiserver {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

// The bytes of every field `number` of a message.
std::vector<std::string_view> fields(std::string_view message, std::uint32_t number) {
  std::vector<std::string_view> out;
  protobuf::WireReader reader(message);
  while (!reader.at_end()) {
    const auto field = reader.next();
    if (!field) {
      ADD_FAILURE() << field.error().message;
      break;
    }
    if (field->number == number) out.push_back(field->bytes);
  }
  return out;
}

std::string_view only(std::string_view message, std::uint32_t number) {
  const auto found = fields(message, number);
  EXPECT_EQ(found.size(), 1U);
  return found.empty() ? std::string_view() : found.front();
}

resource::Definition widgets() {
  resource::Definition definition;
  definition.type = {"example.com", "v1", "widgets", "Widget", true};
  definition.versions = {"v1"};
  definition.is_custom = true;
  definition.schema = std::make_shared<const Json>(
      Json{{"type", "object"},
           {"properties",
            {{"spec",
              {{"type", "object"},
               {"required", {"size"}},
               {"properties",
                {{"size", {{"type", "integer"}, {"description", "In millimetres"}}},
                 {"open", {{"type", "object"}, {"nullable", true}}}}}}}}}});
  return definition;
}

class OpenApiV2 : public ::testing::Test {
 protected:
  OpenApiV2() {
    registry_.put(widgets());
    document_ = openapi_v2_document(registry_);
  }
  resource::DefinitionRegistry registry_;
  std::string document_;
};

TEST_F(OpenApiV2, HasTheSchemasOfCustomKindsAlone) {
  const auto schemas = fields(only(document_, 9), 1);
  ASSERT_EQ(schemas.size(), 1U);
  EXPECT_EQ(only(schemas[0], 1), "example.com.v1.Widget");
  const std::string_view schema = only(schemas[0], 2);
  EXPECT_EQ(only(only(only(schema, 31), 2), 2),
            R"([{"group":"example.com","kind":"Widget","version":"v1"}])");
}

TEST_F(OpenApiV2, SaysWhatExplainShowsAndWhatIsRequired) {
  const std::string_view schema = only(fields(only(document_, 9), 1)[0], 2);
  std::map<std::string_view, std::string_view> properties;
  for (const auto named : fields(only(schema, 25), 1)) properties[only(named, 1)] = only(named, 2);
  const std::string_view spec = properties["spec"];
  EXPECT_THAT(fields(spec, 19), ElementsAre("size"));
  std::map<std::string_view, std::string_view> members;
  for (const auto named : fields(only(spec, 25), 1)) members[only(named, 1)] = only(named, 2);
  EXPECT_EQ(only(members["size"], 4), "In millimetres");
  EXPECT_EQ(only(only(members["size"], 22), 1), "integer");
  EXPECT_TRUE(members["open"].empty()) << "null is no object for these clients: anything goes";
}

TEST_F(OpenApiV2, AMalformedSchemaTakesTheDocumentFromNobody) {
  for (const Json& schema :
       {Json("text"), Json{{"properties", Json::array()}}, Json{{"properties", "text"}},
        Json{{"required", {1}}, {"properties", {{"a", 5}, {"b", {{"items", {1, 2}}}}}}}}) {
    auto broken = widgets();
    broken.type = {"example.com", "v1", "gadgets", "Gadget", true};
    broken.schema = std::make_shared<const Json>(schema);
    registry_.put(broken);
    EXPECT_EQ(fields(only(openapi_v2_document(registry_), 9), 1).size(), 2U) << schema;
    EXPECT_TRUE(openapi_document(registry_, "example.com", "v1")) << schema;
  }
}

TEST_F(OpenApiV2, EveryKindTakesDryRuns) {
  std::vector<std::string> kinds;
  for (const auto named : fields(only(document_, 8), 2)) {
    const std::string_view patch = only(only(named, 2), 8);
    const std::string_view query = only(only(only(only(patch, 8), 1), 2), 3);
    EXPECT_EQ(only(query, 4), "dryRun");
    kinds.emplace_back(only(only(only(patch, 13), 2), 2));
  }
  EXPECT_THAT(kinds, Contains(R"({"group":"","kind":"ConfigMap","version":"v1"})"));
  EXPECT_THAT(kinds, Contains(R"({"group":"example.com","kind":"Widget","version":"v1"})"));
}

}  // namespace
}  // namespace hearth::apiserver
