#include "emulator/apiserver/protobuf.h"

#include <cstdint>
#include <initializer_list>
#include <string>

#include <gtest/gtest.h>

#include "platform/base/limits.h"

namespace hearth::apiserver {
namespace {

// Protobuf by hand: messages are concatenations of fields.
std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  return out + static_cast<char>(value);
}

std::string number(std::uint32_t field, std::int64_t value) {
  return varint(field << 3) + varint(static_cast<std::uint64_t>(value));
}

std::string bytes(std::uint32_t field, std::string_view value) {
  return varint(field << 3 | 2) + varint(value.size()) + std::string(value);
}

std::string entry(std::uint32_t field, std::string_view key, std::string_view value) {
  return bytes(field, bytes(1, key) + bytes(2, value));
}

std::string envelope(std::string_view api_version, std::string_view kind, std::string_view object) {
  return std::string("k8s\0", 4) + bytes(1, bytes(1, api_version) + bytes(2, kind)) +
         bytes(2, object) + bytes(3, "") + bytes(4, "");
}

// What Go's encoder writes of an ObjectMeta: the empty value fields too.
std::string metadata(std::string_view name) {
  return bytes(1, name) + bytes(2, "") + bytes(3, "") + bytes(4, "") + bytes(5, "") + bytes(6, "") +
         number(7, 0) + bytes(8, "");
}

Json decoded(std::string_view api_version, std::string_view kind, std::string_view object) {
  const auto json = decode_kubernetes_protobuf(envelope(api_version, kind, object));
  EXPECT_TRUE(json.has_value()) << json.error().message;
  return json.value_or(Json());
}

Error refused(std::string_view body) {
  const auto json = decode_kubernetes_protobuf(body);
  EXPECT_FALSE(json.has_value()) << base::dump_json(json.value_or(Json()));
  return json ? Error{} : json.error();
}

const std::string kConfigMapBody =
    envelope("v1", "ConfigMap",
             bytes(1, metadata("settings") + entry(11, "app", "demo") + entry(11, "empty", "")) +
                 entry(2, "colour", "gr\xc3\xbcn") + entry(2, "none", "") +
                 entry(3, "raw", std::string("\0\xff", 2)) + number(4, 0));

std::string job_body() {
  const std::string container =
      bytes(1, "main") + bytes(2, "busybox") + bytes(3, "sh") + bytes(3, "-c") + bytes(3, "") +
      bytes(6, bytes(1, "") + number(2, 0) + number(3, 8080) + bytes(4, "TCP")) +
      bytes(7, bytes(1, "A") + bytes(2, "1")) +
      bytes(8, bytes(1, bytes(1, "memory") + bytes(2, bytes(1, "64Mi")))) +
      bytes(10, bytes(1, bytes(2, bytes(1, "/live") +
                                      bytes(2, number(1, 1) + number(2, 0) + bytes(3, "http")))) +
                    number(2, 5)) +
      number(16, 0);
  const std::string volume = bytes(1, "scratch") + bytes(2, bytes(2, bytes(1, "")));
  const std::string pod_spec = bytes(1, volume) + bytes(2, container) + bytes(3, "Never") +
                               number(4, 0) +
                               bytes(14, number(2, -1) + bytes(4, varint(7) + varint(300)));
  const std::string spec = number(1, 2) + bytes(6, bytes(1, metadata("")) + bytes(2, pod_spec)) +
                           number(7, 0) + number(10, 1);
  return envelope("batch/v1", "Job", bytes(1, metadata("once")) + bytes(2, spec) + bytes(3, ""));
}

TEST(KubernetesProtobuf, ConfigMapKeepsEmptyMapValuesAndSetPointersOnly) {
  const auto json = decode_kubernetes_protobuf(kConfigMapBody);
  ASSERT_TRUE(json.has_value()) << json.error().message;
  EXPECT_EQ(*json, Json::parse(R"({"apiVersion":"v1","kind":"ConfigMap",
    "metadata":{"name":"settings","labels":{"app":"demo","empty":""}},
    "data":{"colour":"grün","none":""},"binaryData":{"raw":"AP8="},"immutable":false})"));
}

TEST(KubernetesProtobuf, SecretDataIsBase64) {
  const Json json = decoded("v1", "Secret",
                            bytes(1, metadata("key")) + entry(2, "token", "s3cret") +
                                bytes(2, bytes(1, "nothing")) + bytes(3, "Opaque"));
  EXPECT_EQ(json, Json::parse(R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"key"},
    "data":{"token":"czNjcmV0","nothing":""},"type":"Opaque"})"));
}

TEST(KubernetesProtobuf, NamespaceDropsEmptySpecAndStatus) {
  const Json json = decoded("v1", "Namespace",
                            bytes(1, metadata("demo")) + bytes(2, "") + bytes(3, bytes(1, "")));
  EXPECT_EQ(json, Json::parse(R"({"apiVersion":"v1","kind":"Namespace",
                                  "metadata":{"name":"demo"}})"));
}

TEST(KubernetesProtobuf, JobWithItsPodTemplate) {
  const auto json = decode_kubernetes_protobuf(job_body());
  ASSERT_TRUE(json.has_value()) << json.error().message;
  EXPECT_EQ(*json, Json::parse(R"({"apiVersion":"batch/v1","kind":"Job",
    "metadata":{"name":"once"},
    "spec":{"parallelism":2,"backoffLimit":0,"suspend":true,"template":{"spec":{
      "restartPolicy":"Never","terminationGracePeriodSeconds":0,
      "securityContext":{"runAsUser":-1,"supplementalGroups":[7,300]},
      "volumes":[{"name":"scratch","emptyDir":{}}],
      "containers":[{"name":"main","image":"busybox","command":["sh","-c",""],
        "ports":[{"containerPort":8080,"protocol":"TCP"}],
        "env":[{"name":"A","value":"1"}],
        "resources":{"limits":{"memory":"64Mi"}},
        "livenessProbe":{"httpGet":{"path":"/live","port":"http"},
                         "initialDelaySeconds":5}}]}}}})"));
}

TEST(KubernetesProtobuf, TimesAreRfc3339) {
  const std::string moment = number(1, 1'700'000'000) + number(2, 1'234'567);
  const Json json = decoded("coordination.k8s.io/v1", "Lease",
                            bytes(1, bytes(1, "leader") + bytes(8, moment)) +
                                bytes(2, number(2, 15) + bytes(3, moment) + bytes(4, "")));
  EXPECT_EQ(json["metadata"]["creationTimestamp"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(json["spec"], Json::parse(R"({"leaseDurationSeconds":15,
                                          "acquireTime":"2023-11-14T22:13:20.001234Z"})"));
  for (const std::int64_t seconds : {INT64_MAX, INT64_MIN}) {
    const std::string object = bytes(1, bytes(8, number(1, seconds)));
    EXPECT_EQ(refused(envelope("v1", "Secret", object)).message,
              "invalid protobuf body: metadata: creationTimestamp: the time is out of range");
  }
}

TEST(KubernetesProtobuf, IntegersAndStringsOfAServicePort) {
  const Json json = decoded(
      "v1", "Service",
      bytes(2, bytes(1, number(3, 80) + bytes(4, number(1, 0) + number(2, 0) + bytes(3, ""))) +
                   bytes(1, number(3, 81) + bytes(4, number(1, 0) + number(2, 8081)))));
  EXPECT_EQ(json["spec"], Json::parse(R"({"ports":[{"port":80},{"port":81,"targetPort":8081}]})"));
  const std::string object = bytes(2, bytes(1, bytes(4, number(1, 2))));
  EXPECT_EQ(refused(envelope("v1", "Service", object)).code, Code::kBadRequest);
}

TEST(KubernetesProtobuf, DeleteOptionsOfAnyGroup) {
  const Json json = decoded("apps/v1", "DeleteOptions",
                            number(1, 0) + bytes(2, bytes(1, "uid-1")) + bytes(4, "Background"));
  EXPECT_EQ(json, Json::parse(R"({"apiVersion":"apps/v1","kind":"DeleteOptions",
    "gracePeriodSeconds":0,"preconditions":{"uid":"uid-1"},"propagationPolicy":"Background"})"));
}

TEST(KubernetesProtobuf, AnEmptyPackedListIsNone) {
  const std::string context = bytes(14, number(2, -1) + bytes(4, ""));
  const Json json = decoded("v1", "Pod", bytes(1, metadata("a")) + bytes(2, context));
  EXPECT_EQ(json["spec"]["securityContext"], Json::parse(R"({"runAsUser":-1})"));
}

TEST(KubernetesProtobuf, UnknownFieldsAreSkipped) {
  const std::string fixed = varint(900 << 3 | 1) + "12345678" + varint(901 << 3 | 5) + "1234";
  const Json json =
      decoded("v1", "ConfigMap", fixed + number(902, 7) + bytes(903, "new") + entry(2, "a", "b"));
  EXPECT_EQ(json["data"], Json::parse(R"({"a":"b"})"));
}

TEST(KubernetesProtobuf, PartsOfAMessageAddUpAndTheLastValueCounts) {
  const Json json =
      decoded("v1", "ConfigMap",
              bytes(1, bytes(1, "first") + bytes(3, "ns")) + bytes(1, bytes(1, "last")) +
                  entry(2, "a", "1") + entry(2, "a", "2"));
  EXPECT_EQ(json["metadata"], Json::parse(R"({"name":"last","namespace":"ns"})"));
  EXPECT_EQ(json["data"]["a"], "2");
}

TEST(KubernetesProtobuf, CutShortAtEveryLengthIsNoCrashAndNeverTheWholeObject) {
  for (const std::string& body : {kConfigMapBody, job_body()}) {
    const Json whole = decode_kubernetes_protobuf(body).value_or(Json());
    // The last four bytes are the envelope's two empty fields.
    for (std::size_t length = 0; length + 4 < body.size(); ++length) {
      // A copy of its own, so that a sanitizer sees a read past its end.
      const std::string cut(body, 0, length);
      const auto json = decode_kubernetes_protobuf(cut);
      if (json)
        EXPECT_NE(*json, whole) << length;
      else
        EXPECT_EQ(json.error().code, Code::kBadRequest) << length;
    }
  }
}

TEST(KubernetesProtobuf, EveryByteChangedIsNoCrash) {
  for (const std::string& body : {kConfigMapBody, job_body()}) {
    for (std::size_t at = 0; at < body.size(); ++at) {
      for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
        std::string changed = body;
        changed[at] = static_cast<char>(value);
        if (const auto json = decode_kubernetes_protobuf(changed)) (void)base::dump_json(*json);
      }
    }
  }
}

TEST(KubernetesProtobuf, HostileLengthsAndIntegersAreRefused) {
  const std::string head("k8s\0", 4);
  const std::string endless(11, '\xff');
  const std::vector<std::string> bodies = {"",
                                           "{}",
                                           head,
                                           head + varint(2 << 3 | 2) + varint(~0ULL),
                                           head + endless,
                                           head + varint(1 << 3) + endless,
                                           head + number(0, 1),
                                           head + varint(5 << 3 | 3) + varint(5 << 3 | 4),
                                           envelope("v1", "ConfigMap", number(1, 1)),
                                           envelope("v1", "ConfigMap", number(2, 1)),
                                           envelope("v1", "ConfigMap", bytes(4, "\x01"))};
  for (const std::string& body : bodies) {
    EXPECT_EQ(refused(body).code, Code::kBadRequest);
  }
  EXPECT_EQ(refused(envelope("v1", "ConfigMap", entry(2, "a", "\xff\xfe"))).message,
            "invalid protobuf body: data: value: the text is not UTF-8");
}

TEST(KubernetesProtobuf, DeeplyNestedJsonIsRefused) {
  const auto body = [](std::size_t depth) {
    const std::string raw = std::string(depth, '[') + std::string(depth, ']');
    return envelope("v1", "ConfigMap", bytes(1, bytes(17, bytes(7, bytes(1, raw)))));
  };
  EXPECT_TRUE(decode_kubernetes_protobuf(body(100)).has_value());
  for (const std::size_t depth : {limits::kJsonDepthMax, std::size_t{1'000'000}}) {
    EXPECT_EQ(refused(body(depth)).code, Code::kBadRequest);
  }
  // What is accepted can be stored and read back.
  for (std::size_t depth = limits::kJsonDepthMax - 10; depth < limits::kJsonDepthMax; ++depth) {
    const auto json = decode_kubernetes_protobuf(body(depth));
    if (json) EXPECT_TRUE(base::parse_json(base::dump_json(*json)).has_value()) << depth;
  }
  // Nested lengths end where the tables end: the rest is an unknown field.
  std::string nested;
  for (int i = 0; i < 1000; ++i) nested = bytes(2, nested);
  EXPECT_TRUE(decode_kubernetes_protobuf(envelope("v1", "Pod", nested)).has_value() ||
              refused(envelope("v1", "Pod", nested)).code == Code::kBadRequest);
}

TEST(KubernetesProtobuf, UnknownKindsAreNamed) {
  const Error crd = refused(envelope("apiextensions.k8s.io/v1", "CustomResourceDefinition", ""));
  EXPECT_EQ(crd.code, Code::kUnsupported);
  EXPECT_EQ(crd.message,
            "CustomResourceDefinition of apiextensions.k8s.io/v1 is not understood as "
            "protobuf; send it as application/json");
  EXPECT_EQ(refused(envelope("v2", "Secret", "")).code, Code::kUnsupported);
}

TEST(KubernetesProtobuf, EncodedObjectsAreUnsupported) {
  const std::string body = envelope("v1", "Secret", "") + bytes(3, "gzip");
  EXPECT_EQ(refused(body).code, Code::kUnsupported);
}

}  // namespace
}  // namespace hearth::apiserver
