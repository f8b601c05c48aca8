#include "emulator/serving/pod_rules.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace hearth::serving {
namespace {

// What is wrong with a pod, a line each.
std::string faults(const Json& pod) {
  FieldErrors errors;
  check_pod(errors, pod, "spec");
  std::string out;
  for (const FieldError& field : errors.take()) out += field.message + "\n";
  return out;
}

// With an image.
std::string faults_of_container(Json container) {
  container["image"] = "i";
  return faults({{"containers", Json::array({std::move(container)})}});
}

// One volume, mounted at /data.
std::string faults_of_volume(Json volume) {
  volume["name"] = "v";
  return faults({{"containers",
                  {{{"image", "i"}, {"volumeMounts", {{{"name", "v"}, {"mountPath", "/data"}}}}}}},
                 {"volumes", Json::array({std::move(volume)})}});
}

// Mounts of the volumes "v" and "w".
std::string faults_of_mounts(Json mounts) {
  return faults({{"containers", {{{"image", "i"}, {"volumeMounts", std::move(mounts)}}}},
                 {"volumes",
                  {{{"name", "v"}, {"emptyDir", Json::object()}},
                   {{"name", "w"}, {"secret", {{"secretName", "s"}}}}}}});
}

TEST(PodRules, KeepTheVariablesThatKnativeSets) {
  for (const char* name : {"PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"}) {
    EXPECT_EQ(faults_of_container({{"env", {{{"name", "A"}}, {{"name", name}, {"value", "1"}}}}}),
              std::string("\"") + name +
                  "\" is a reserved environment variable: spec.containers[0].env[1].name\n");
  }
  EXPECT_EQ(faults_of_container({{"env", {{{"name", "K_SINK"}}, {{"name", "port"}}}}}), "");
}

TEST(PodRules, LetASidecarHaveAPortVariable) {
  const auto beside = [](const char* name) {
    return faults({{"containers",
                    {{{"image", "i"}, {"ports", {{{"containerPort", 8080}}}}},
                     {{"image", "i"}, {"env", {{{"name", name}}}}}}}});
  };
  EXPECT_EQ(beside("PORT"), "");
  EXPECT_EQ(beside("K_SERVICE"),
            "\"K_SERVICE\" is a reserved environment variable: spec.containers[1].env[0].name\n");
}

TEST(PodRules, WantOneSourceOfVariables) {
  EXPECT_EQ(faults_of_container({{"envFrom",
                                  {{{"secretRef", {{"name", "s"}}}},
                                   {{"configMapRef", {{"name", "c"}}}, {"prefix", "P_"}}}}}),
            "");
  const std::string at = "spec.containers[0].envFrom[0]";
  EXPECT_EQ(faults_of_container({{"envFrom", {{{"prefix", "P_"}}}}}),
            "expected exactly one, got neither: " + at + ".configMapRef, " + at + ".secretRef\n");
}

TEST(PodRules, KeepThePortsOfTheQueueProxy) {
  for (const int port : {8008, 8012, 8013, 8022, 9090, 9091}) {
    const std::string number = std::to_string(port);
    EXPECT_EQ(faults_of_container({{"ports", {{{"containerPort", port}}}}}),
              "invalid value: " + number +
                  " is a reserved port: spec.containers[0].ports[0].containerPort\n");
  }
}

TEST(PodRules, KnowTheNamesAndTheProtocolOfAPort) {
  const auto port = [](const char* name, const char* protocol) {
    return faults_of_container({{"ports", {{{"name", name}, {"protocol", protocol}}}}});
  };
  for (const char* name : {"", "http1", "h2c"}) EXPECT_EQ(port(name, "TCP"), "");
  EXPECT_EQ(port("", ""), "");
  EXPECT_TRUE(port("user-port", "TCP").starts_with("Port name \"user-port\" is not allowed"));
  EXPECT_EQ(port("", "UDP"), "invalid value: UDP: spec.containers[0].ports[0].protocol\n");
}

TEST(ProbeRules, WantOneHandler) {
  const Json http{{"path", "/health"}, {"port", 8080}};
  EXPECT_EQ(faults_of_container({{"livenessProbe", {{"httpGet", http}, {"periodSeconds", 20}}},
                                 {"readinessProbe", {{"tcpSocket", Json::object()}}}}),
            "");
  const std::string live = "spec.containers[0].livenessProbe";
  EXPECT_EQ(faults_of_container({{"livenessProbe", Json::object()}}),
            "expected exactly one, got neither: " + live + ".exec, " + live + ".grpc, " + live +
                ".httpGet, " + live + ".tcpSocket\n");
  const std::string ready = "spec.containers[0].readinessProbe";
  EXPECT_EQ(faults_of_container(
                {{"readinessProbe", {{"httpGet", http}, {"exec", {{"command", {"a"}}}}}}}),
            "expected exactly one, got both: " + ready + ".exec, " + ready + ".httpGet\n");
  // Knative's default is the port.
  EXPECT_EQ(faults_of_container({{"readinessProbe", {{"periodSeconds", 10}}}}), "");
}

TEST(ProbeRules, RefuseFieldsThatNoProbeHas) {
  EXPECT_EQ(faults_of_container({{"readinessProbe", {{"httpGet", {{"pth", "/"}}}}}}),
            "must not set the field(s): spec.containers[0].readinessProbe.httpGet.pth\n");
}

TEST(ProbeRules, KnowThePortByNumberOrItsName) {
  const auto probe = [](Json ports, Json port) {
    return faults_of_container({{"ports", std::move(ports)},
                                {"readinessProbe", {{"httpGet", {{"port", std::move(port)}}}}}});
  };
  const Json named = Json::array({{{"name", "http1"}}});
  for (const Json& port : {Json(0), Json(9000), Json(""), Json(), Json("http1")}) {
    EXPECT_EQ(probe(named, port), "");
  }
  EXPECT_EQ(probe(Json::array({{{"containerPort", 80}}}), "http"), "");
  EXPECT_EQ(probe(named, "web"),
            "invalid value: web (Probe port must match container port): "
            "spec.containers[0].readinessProbe.httpGet.port\n");
  EXPECT_TRUE(probe(named, true).contains("is not a number or a name"));
}

TEST(ProbeRules, BoundTheNumbers) {
  const auto probe = [](Json numbers) {
    numbers["httpGet"] = Json::object();
    return faults_of_container({{"readinessProbe", std::move(numbers)}});
  };
  const std::string at = ": spec.containers[0].readinessProbe.";
  EXPECT_EQ(probe({{"periodSeconds", 2}, {"timeoutSeconds", 1}, {"failureThreshold", 3}}), "");
  EXPECT_EQ(probe({{"periodSeconds", 0}, {"initialDelaySeconds", 5}}), "");
  EXPECT_EQ(probe({{"periodSeconds", -1}}),
            "expected 0 <= -1 <= 2147483647" + at + "periodSeconds\n");
  EXPECT_EQ(probe({{"timeoutSeconds", 1}}),
            "timeoutSeconds is disallowed when periodSeconds is zero" + at + "timeoutSeconds\n");
  EXPECT_EQ(
      probe({{"periodSeconds", 0}, {"failureThreshold", 3}}),
      "failureThreshold is disallowed when periodSeconds is zero" + at + "failureThreshold\n");
}

TEST(ProbeRules, AreForTheContainerThatServes) {
  EXPECT_EQ(faults({{"containers",
                     {{{"image", "i"}, {"ports", {{{"containerPort", 8080}}}}},
                      {{"image", "i"}, {"livenessProbe", {{"httpGet", Json::object()}}}}}}}),
            "must not set the field(s): spec.containers[1].livenessProbe.httpGet\n");
}

TEST(VolumeRules, TakeTheSourcesThatKnativeHasByDefault) {
  const Json items = Json::array({{{"key", "k"}, {"path", "p"}}});
  for (const Json& volume :
       {Json{{"configMap", {{"name", "c"}, {"items", items}}}},
        Json{{"secret", {{"secretName", "s"}, {"items", items}}}},
        Json{{"emptyDir", Json::object()}},
        Json{{"emptyDir", {{"medium", "Memory"}, {"sizeLimit", "64Mi"}}}},
        Json{{"projected",
              {{"sources",
                {{{"secret", {{"name", "s"}, {"items", items}}}},
                 {{"configMap", {{"name", "c"}}}},
                 {{"serviceAccountToken", {{"path", "token"}}}},
                 {{"downwardAPI",
                   {{"items",
                     {{{"path", "labels"},
                       {"fieldRef", {{"fieldPath", "metadata.labels"}}}}}}}}}}}}}}}) {
    EXPECT_EQ(faults_of_volume(volume), "") << volume;
  }
}

TEST(VolumeRules, RefuseAllOtherSources) {
  const std::string at = "spec.volumes[0]";
  const std::string neither = "expected exactly one, got neither: " + at + ".configMap, " + at +
                              ".emptyDir, " + at + ".projected, " + at + ".secret\n";
  for (const char* source : {"hostPath", "persistentVolumeClaim", "csi", "nfs"}) {
    EXPECT_EQ(faults_of_volume({{source, Json::object()}}),
              fmt::format("must not set the field(s): {}.{}\n{}", at, source, neither));
  }
  EXPECT_EQ(faults_of_volume(Json::object()), neither);
  EXPECT_EQ(faults_of_volume({{"secret", Json::object()}, {"emptyDir", Json::object()}}),
            "expected exactly one, got both: " + at + ".emptyDir, " + at + ".secret\n");
}

TEST(VolumeRules, LookIntoTheSources) {
  const std::string at = "spec.volumes[0].";
  EXPECT_EQ(faults_of_volume({{"emptyDir", {{"medium", "Disk"}}}}),
            "invalid value: Disk: " + at + "emptyDir.medium\n");
  EXPECT_EQ(faults_of_volume({{"emptyDir", {{"sizeLimit", "-1Mi"}}}}),
            "invalid value: -1Mi: " + at + "emptyDir.sizeLimit\n");
  EXPECT_EQ(faults_of_volume({{"secret", {{"items", {{{"key", "k"}}}}}}}),
            "missing field(s): " + at + "secret.items[0].path\n");
  EXPECT_EQ(faults_of_volume({{"projected", {{"sources", {{{"configMap", Json::object()}}}}}}}),
            "missing field(s): " + at + "projected.sources[0].configMap.name\n");
}

TEST(VolumeRules, WantNamesThatAreUniqueAndMounted) {
  const Json empty{{"name", "v"}, {"emptyDir", Json::object()}};
  EXPECT_EQ(faults({{"containers", {{{"image", "i"}}}}, {"volumes", Json::array({empty})}}),
            "volume with name \"v\" not mounted: spec.volumes[0].name\n");
  const Json mounts = Json::array({{{"name", "v"}, {"mountPath", "/v"}}});
  const Json containers = Json::array({{{"image", "i"}, {"volumeMounts", mounts}}});
  EXPECT_EQ(faults({{"containers", containers}, {"volumes", {empty, empty}}}),
            "duplicate volume name \"v\": spec.volumes[1].name\n");
  EXPECT_EQ(
      faults({{"containers", containers}, {"volumes", {empty, {{"emptyDir", Json::object()}}}}}),
      "missing field(s): spec.volumes[1].name\n");
}

TEST(VolumeRules, WantMountsOfVolumesAtPathsOfTheirOwn) {
  const auto mount = [](const char* name, const char* path) {
    return Json{{"name", name}, {"mountPath", path}};
  };
  const std::string at = ": spec.containers[0].volumeMounts";
  const Json w = mount("w", "/w");
  EXPECT_EQ(faults_of_mounts({mount("v", "/tmp"), w}), "");
  EXPECT_EQ(faults_of_mounts({mount("v", "/a"), mount("v", "/b"), w}), "");
  EXPECT_EQ(faults_of_mounts({mount("v", "/a"), w, mount("x", "/b")}),
            "volumeMount has no matching volume" + at + "[2].name\n");
  EXPECT_EQ(faults_of_mounts({mount("v", ""), w}), "missing field(s)" + at + "[0].mountPath\n");
  EXPECT_EQ(faults_of_mounts({mount("v", "a/b"), w}),
            "invalid value: a/b" + at + "[0].mountPath\n");
  EXPECT_EQ(faults_of_mounts({mount("v", "/a"), mount("w", "/b/../a/")}),
            "invalid value: \"/b/../a/\" must be unique" + at + "[1].mountPath\n");
  for (const auto& [path, cleaned] :
       {std::pair("/", "/"), {"/dev/", "/dev"}, {"/dev/./log", "/dev/log"}, {"/a/..", "/"}}) {
    EXPECT_EQ(
        faults_of_mounts({mount("v", path), w}),
        std::string("mountPath \"") + cleaned + "\" is a reserved path" + at + "[0].mountPath\n");
  }
}

TEST(VolumeRules, RefuseFieldsThatNoMountHas) {
  EXPECT_EQ(faults_of_mounts({{{"name", "v"}, {"mountPath", "/v"}, {"mountPropagation", "None"}},
                              {{"name", "w"}, {"mountPath", "/w"}, {"subPath", "x"}}}),
            "must not set the field(s): spec.containers[0].volumeMounts[0].mountPropagation\n");
}

}  // namespace
}  // namespace hearth::serving
