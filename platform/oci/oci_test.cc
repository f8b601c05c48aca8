#include <gtest/gtest.h>

#include "platform/oci/digest.h"
#include "platform/oci/manifest.h"
#include "platform/oci/reference.h"

namespace hearth::oci {
namespace {

const std::string kHex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Digest, ReadsItsOwnText) {
  EXPECT_EQ(Digest::of("abc").text(), "sha256:" + kHex);
  EXPECT_EQ(Digest::parse("sha256:" + kHex).value(), Digest::of("abc"));
  EXPECT_EQ(Digest::of("abc").hex(), kHex);
}

TEST(Digest, RefusesOtherForms) {
  EXPECT_EQ(Digest::parse("sha256:" + kHex.substr(1)).error().code, Code::kInvalid);
  EXPECT_EQ(Digest::parse("sha256:" + std::string(64, 'A')).error().code, Code::kInvalid);
  EXPECT_EQ(Digest::parse(kHex).error().code, Code::kInvalid);
  EXPECT_EQ(Digest::parse("sha512:" + kHex + kHex).error().code, Code::kUnsupported);
}

TEST(Reference, SplitsRegistryRepositoryTagAndDigest) {
  const auto whole = parse_reference("localhost:5001/team/fn:v1@sha256:" + kHex).value();
  EXPECT_EQ(whole.registry, "localhost:5001");
  EXPECT_EQ(whole.repository, "team/fn");
  EXPECT_EQ(whole.tag, "v1");
  EXPECT_EQ(whole.version(), "sha256:" + kHex);
  EXPECT_EQ(parse_reference(whole.text()).value(), whole);

  const auto plain = parse_reference("python:3.11-alpine").value();
  EXPECT_EQ(plain.registry, "");
  EXPECT_EQ(plain.repository, "python");
  EXPECT_EQ(plain.tag, "3.11-alpine");
  EXPECT_EQ(parse_reference("library/python").value().version(), "latest");
  EXPECT_EQ(parse_reference("docker.io/library/python").value().registry, "docker.io");
  EXPECT_EQ(parse_reference("[::1]:5001/a").value().registry, "[::1]:5001");
}

TEST(Reference, KeepsTheGrammarAndTheLimits) {
  for (const char* bad :
       {"", "upper/Case", "a//b", "a/", "/a", "a/-b", "a/b.", "a..b", "a___b", "fn:", "fn:.tag",
        "fn@sha256:12", "host:99999/a", "a b", "[x]:1/a", "[::1\r\nX: y]:1/a", "[::1/a", "[]/a"}) {
    EXPECT_FALSE(parse_reference(bad)) << bad;
  }
  for (const char* good : {"a.b", "a_b", "a__b", "a---b", "a/b/c:_x", "a0"}) {
    EXPECT_TRUE(parse_reference(good)) << good;
  }
  EXPECT_FALSE(parse_reference("fn:" + std::string(129, 'a')));
  EXPECT_FALSE(parse_reference(std::string(256, 'a')));
}

TEST(Manifest, ReadsWhatItWrites) {
  Manifest manifest;
  manifest.config =
      Descriptor{.media_type = std::string(kOciConfig), .digest = Digest::of("c"), .size = 1};
  manifest.layers.push_back({.media_type = std::string(kOciLayerGzip),
                             .digest = Digest::of("l"),
                             .size = 9,
                             .annotations = {{"a", "b"}}});
  manifest.subject = manifest.config;
  manifest.annotations["hearth.local/base"] = "host";
  const Manifest read = parse_manifest(dump(manifest)).value();
  EXPECT_EQ(read.config, manifest.config);
  EXPECT_EQ(read.layers, manifest.layers);
  EXPECT_EQ(read.subject, manifest.subject);
  EXPECT_EQ(read.annotations, manifest.annotations);
}

TEST(Manifest, NamesTheWrongField) {
  EXPECT_EQ(parse_manifest("[]").error().code, Code::kInvalid);
  EXPECT_EQ(parse_manifest(R"({"schemaVersion":1})").error().message, "schemaVersion must be 2");
  EXPECT_EQ(parse_manifest(R"({"schemaVersion":2})").error().message, "config is missing");
  const auto bad = parse_manifest(
      R"({"schemaVersion":2,"config":{"mediaType":"x","digest":"sha256:1","size":1}})");
  EXPECT_TRUE(bad.error().message.starts_with("config.digest")) << bad.error().message;
}

TEST(ImageConfig, ReadsWhatItWrites) {
  ImageConfig config;
  config.env = {"A=1", "B=2"};
  config.cmd = {"python", "main.py"};
  config.exposed_ports = {"8080/tcp"};
  config.labels["x"] = "y";
  config.working_dir = "/app";
  config.healthcheck = {{"Test", {"NONE"}}};
  config.diff_ids = {Digest::of("tar")};
  config.history = {{.created_by = "RUN true", .empty_layer = true}};
  const ImageConfig read = parse_config(dump(config)).value();
  EXPECT_EQ(dump(read), dump(config));
  EXPECT_EQ(read.env, config.env);
  EXPECT_EQ(read.diff_ids, config.diff_ids);
}

// Who pushes an image writes it; it is joined to folders of this machine.
TEST(Config, AWorkingFolderIsAbsoluteAndDoesNotClimb) {
  const auto folder_of = [](const std::string& text) {
    return parse_config(R"({"config": {"WorkingDir": ")" + text + R"("}})").value().working_dir;
  };
  EXPECT_EQ(folder_of("/app/"), "/app");
  EXPECT_EQ(folder_of("/../../../root"), "/root");
  EXPECT_EQ(folder_of("/app/../.."), "/");
  EXPECT_EQ(folder_of("../app"), "/app");
  EXPECT_EQ(folder_of("/"), "/");
  EXPECT_EQ(folder_of(""), "");
}

}  // namespace
}  // namespace hearth::oci
