#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube-adapter/kubeconfig.h"
#include "kube-adapter/remote_watch.h"
#include "kube-adapter/resource_path.h"
#include "kube-adapter/retry.h"
#include "kube-adapter/status_error.h"
#include "platform/base/random_id.h"
#include "platform/resource/well_known.h"

namespace hearth::kube_adapter {
namespace {

using namespace resource;
using testing::HasSubstr;

class Kubeconfig : public testing::Test {
 public:
  Kubeconfig() : folder_(std::filesystem::path(testing::TempDir()) / base::random_hex(6)) {
    std::filesystem::create_directories(folder_);
  }
  ~Kubeconfig() override { std::filesystem::remove_all(folder_); }

 protected:
  std::filesystem::path write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  Result<ClusterAccess> load(const std::string& text, const std::string& context = {}) {
    auto merged = merge_kubeconfigs({write("config", text)});
    if (!merged) return fail(merged.error());
    return resolve_context(*merged, context);
  }
  // A kubeconfig of one context whose cluster and user say what is given.
  static std::string with(const std::string& cluster, const std::string& user) {
    return "current-context: main\n"
           "contexts: [{name: main, context: {cluster: c, user: u, namespace: demo}}]\n"
           "clusters: [{name: c, cluster: " +
           cluster + "}]\nusers: [{name: u, user: " + user + "}]\n";
  }

  std::filesystem::path folder_;
};

TEST_F(Kubeconfig, SaysWhereTheClusterIsAndWhoWeAre) {
  const auto access =
      load(with("{server: 'https://k8s.example:6443/base', tls-server-name: inner, "
                "certificate-authority-data: Q0E=}",
                "{token: secret, client-certificate-data: Q1JU, client-key-data: S0VZ}"));
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->context, "main");
  EXPECT_EQ(access->server.authority(), "k8s.example:6443");
  EXPECT_EQ(access->server.target, "/base");
  EXPECT_EQ(access->tls_server_name, "inner");
  EXPECT_EQ(access->ca_pem, "CA");
  EXPECT_EQ(access->client_certificate_pem, "CRT");
  EXPECT_EQ(access->client_key_pem, "KEY");
  EXPECT_EQ(access->token, "secret");
  EXPECT_EQ(access->ns, "demo");
  EXPECT_FALSE(access->skip_tls_verify);
}

TEST_F(Kubeconfig, FilesAreRelativeToTheKubeconfigAndDataWinsOverThem) {
  write("ca.pem", "from file");
  const auto access = load(with("{server: 'https://k', certificate-authority: ca.pem}",
                                "{tokenFile: token, client-certificate: none.pem, "
                                "client-certificate-data: Q1JU, client-key-data: S0VZ}"));
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->ca_pem, "from file");
  EXPECT_EQ(access->token_file, folder_ / "token");
  EXPECT_EQ(access->client_certificate_pem, "CRT");
}

TEST_F(Kubeconfig, TheFirstFileThatNamesSomethingWins) {
  const auto first = write("a", with("{server: 'https://first'}", "{token: one}"));
  const auto second = write("b",
                            "current-context: other\n"
                            "contexts: [{name: other, context: {cluster: c, user: v}}]\n"
                            "clusters: [{name: c, cluster: {server: 'https://second'}}]\n"
                            "users: [{name: v, user: {token: two}}]\n");
  const auto merged = merge_kubeconfigs({folder_ / "missing", first, second}).value();
  EXPECT_EQ(resolve_context(merged, "")->token, "one");
  EXPECT_EQ(resolve_context(merged, "other")->server.host, "first");
  EXPECT_EQ(resolve_context(merged, "other")->token, "two");
  EXPECT_EQ(resolve_context(merged, "other")->ns, "default");
}

TEST_F(Kubeconfig, NamesTheContextsWhenThereIsNoSuchOne) {
  const auto access = load(with("{server: 'https://k'}", "{}"), "mainn");
  EXPECT_EQ(access.error().code, Code::kNotFound);
  EXPECT_THAT(access.error().message, HasSubstr("did you mean \"main\"?"));
  EXPECT_EQ(merge_kubeconfigs({folder_ / "none"}).error().code, Code::kNotFound);
}

TEST_F(Kubeconfig, RefusesByNameWhatItCantLogInWith) {
  const auto error_of = [&](const std::string& user) {
    const auto access = load(with("{server: 'https://k'}", user));
    EXPECT_FALSE(access) << user;
    EXPECT_EQ(access.error().code, Code::kUnsupported);
    return access.error().message;
  };
  EXPECT_THAT(error_of("{exec: {command: aws}}"), HasSubstr("user \"u\": the exec plugin \"aws\""));
  EXPECT_THAT(error_of("{auth-provider: {name: gcp}}"), HasSubstr("the auth-provider \"gcp\""));
  EXPECT_THAT(error_of("{username: ada, password: x}"), HasSubstr("username and password"));
  EXPECT_THAT(error_of("{token: t, as: root}"), HasSubstr("impersonation (as)"));
  const auto proxied = load(with("{server: 'https://k', proxy-url: 'http://p'}", "{}"));
  EXPECT_EQ(proxied.error().code, Code::kUnsupported);
}

TEST_F(Kubeconfig, ATokenIsTrimmedAndOneThatNoHeaderCanCarryIsRefused) {
  const auto with_token = [&](const std::string& token) {
    return load(with("{server: 'https://k'}", "{token: " + token + "}"));
  };
  EXPECT_EQ(with_token("\"  secret\\n\"")->token, "secret");
  EXPECT_EQ(with_token("''")->token, "");
  EXPECT_EQ(with_token("null")->token, "");
  EXPECT_THAT(with_token("\"two\\nlines\"").error().message,
              HasSubstr((folder_ / "config").string() + ": user \"u\": token: holds a line break"));
  for (const char* none : {"\"\\n\"", "12345", "[a]"}) {
    EXPECT_THAT(with_token(none).error().message, HasSubstr("user \"u\": token: is no text"))
        << none;
  }
}

TEST_F(Kubeconfig, NamesTheFieldThatIsWrong) {
  const auto message_of = [&](const std::string& text) { return load(text).error().message; };
  EXPECT_THAT(message_of(with("{}", "{}")), HasSubstr("cluster \"c\": server: is missing"));
  EXPECT_THAT(message_of(with("{server: nowhere}", "{}")), HasSubstr("cluster \"c\": server"));
  EXPECT_THAT(message_of(with("{server: 'https://k', certificate-authority-data: '!'}", "{}")),
              HasSubstr("certificate-authority-data: is not base64"));
  EXPECT_THAT(message_of(with("{server: 'https://k'}", "{client-certificate-data: Q1JU}")),
              HasSubstr("user \"u\": client-key is missing"));
  EXPECT_THAT(message_of(with("{server: 'https://k', certificate-authority-data: Q0E=, "
                              "insecure-skip-tls-verify: true}",
                              "{}")),
              HasSubstr("insecure-skip-tls-verify"));
  EXPECT_THAT(message_of("contexts: [{name: m, context: {cluster: gone}}]\ncurrent-context: m\n"),
              HasSubstr("names the cluster \"gone\", which is not there"));
  EXPECT_THAT(message_of("clusters: {a: b}\n"), HasSubstr("clusters: is no list"));
  EXPECT_THAT(message_of("[]"), HasSubstr("a kubeconfig is a mapping"));
}

TEST_F(Kubeconfig, APodLogsInWithItsServiceAccount) {
  write("ca.crt", "CA");
  write("token", "t");
  write("namespace", "lambda\n");
  const auto access = in_cluster_access("fd00::1", "6443", folder_).value();
  EXPECT_EQ(access.server.host, "fd00::1");
  EXPECT_EQ(access.server.port, 6443);
  EXPECT_EQ(access.ns, "lambda");
  EXPECT_EQ(access.token_file, folder_ / "token");
}

Failure status_failure(int status, const std::string& reason, const std::string& details = "{}") {
  return failure_of(
      status,
      R"({"kind":"Status","message":"why","reason":")" + reason + R"(","details":)" + details + "}",
      "");
}

TEST(StatusError, MapsEveryReasonToACode) {
  const std::tuple<int, const char*, Code> rows[] = {
      {400, "BadRequest", Code::kBadRequest},
      {401, "Unauthorized", Code::kUnauthorized},
      {403, "Forbidden", Code::kForbidden},
      {404, "NotFound", Code::kNotFound},
      {409, "AlreadyExists", Code::kAlreadyExists},
      {409, "Conflict", Code::kConflict},
      {410, "Expired", Code::kExpired},
      {410, "Gone", Code::kExpired},
      {413, "RequestEntityTooLarge", Code::kTooLarge},
      {415, "UnsupportedMediaType", Code::kUnsupported},
      {422, "Invalid", Code::kInvalid},
      {429, "TooManyRequests", Code::kRateLimited},
      {500, "InternalError", Code::kInternal},
      {503, "ServiceUnavailable", Code::kUnavailable},
      {504, "Timeout", Code::kDeadlineExceeded}};
  for (const auto& [status, reason, code] : rows) {
    EXPECT_EQ(status_failure(status, reason).error.code, code) << status << " " << reason;
    EXPECT_EQ(status_failure(status, reason).error.message, "why");
  }
}

TEST(StatusError, KeepsFieldsAndHints) {
  const Failure invalid = status_failure(
      422, "Invalid",
      R"({"causes":[{"field":"spec.x","reason":"FieldValueInvalid","message":"no"}]})");
  EXPECT_THAT(invalid.error.fields,
              testing::ElementsAre(FieldError{"spec.x", "FieldValueInvalid", "no"}));
  const Failure busy = status_failure(429, "TooManyRequests", R"({"retryAfterSeconds":7})");
  EXPECT_EQ(busy.retry_after, std::chrono::seconds(7));
  EXPECT_EQ(failure_of(429, "", "3").retry_after, std::chrono::seconds(3));
  EXPECT_EQ(failure_of(429, "", "tomorrow").retry_after, std::nullopt);
}

TEST(StatusError, AVersionThatTheServerDoesNotHaveYetMeansListAgain) {
  const Failure failure = status_failure(
      504, "Timeout", R"({"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large"}]})");
  EXPECT_EQ(failure.error.code, Code::kExpired);
}

TEST(StatusError, ShowsAProxysTextShortened) {
  const Failure failure = failure_of(502, "<html>bad\ngateway " + std::string(5000, 'x'), "");
  EXPECT_EQ(failure.error.code, Code::kUnavailable);
  EXPECT_THAT(failure.error.message, HasSubstr("the server answered 502: <html>bad gateway"));
  EXPECT_LT(failure.error.message.size(), 300U);
  for (const char* hostile :
       {"[]", "null", "{\"kind\":7}", "{\"kind\":\"Status\",\"code\":\"x\"}"}) {
    EXPECT_EQ(failure_of(404, hostile, "").error.code, Code::kNotFound) << hostile;
  }
}

Failure failure(int status, std::optional<std::chrono::seconds> retry_after = {}) {
  return {status, {Code::kUnavailable, "", {}}, retry_after};
}

TEST(RetryDelay, RepeatsWhatMayBeDoneTwiceAndGivesUpInTheEnd) {
  using std::chrono::milliseconds;
  EXPECT_EQ(retry_delay(failure(0), Repeat::kAllowed, 0, 0), milliseconds(200));
  EXPECT_EQ(retry_delay(failure(500), Repeat::kAllowed, 1, 0), milliseconds(800));
  EXPECT_EQ(retry_delay(failure(503), Repeat::kAllowed, 2, 0.5), milliseconds(4800));
  EXPECT_EQ(retry_delay(failure(503), Repeat::kAllowed, 3, 0), std::nullopt);
  EXPECT_EQ(retry_delay(failure(409), Repeat::kAllowed, 0, 0), std::nullopt);
}

TEST(RetryDelay, NeverRepeatsACreateThatMayHaveBeenDone) {
  EXPECT_EQ(retry_delay(failure(0), Repeat::kForbidden, 0, 0), std::nullopt);
  EXPECT_EQ(retry_delay(failure(500, std::chrono::seconds(1)), Repeat::kForbidden, 0, 0),
            std::nullopt);
}

TEST(RetryDelay, WaitsAsLongAsAServerAsksWithinReason) {
  using std::chrono::seconds;
  EXPECT_EQ(retry_delay(failure(429, seconds(3)), Repeat::kForbidden, 0, 0), seconds(3));
  EXPECT_EQ(retry_delay(failure(429), Repeat::kForbidden, 0, 0), std::nullopt);
  EXPECT_EQ(retry_delay(failure(503, seconds(3600)), Repeat::kAllowed, 0, 0), std::nullopt);
}

TEST(WatchLine, BecomesAnEventOfACompleteObject) {
  const auto event = parse_watch_line(
      kConfigMaps, R"({"type":"MODIFIED","object":{"metadata":{"name":"a","resourceVersion":"7",)"
                   R"("managedFields":[{}]}}})");
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->type, WatchEvent::Type::kModified);
  EXPECT_EQ(event->resource_version, 7U);
  EXPECT_EQ((*event->object)["kind"], "ConfigMap");
  EXPECT_EQ((*event->object)["apiVersion"], "v1");
  EXPECT_FALSE((*event->object)["metadata"].contains("managedFields"));
}

TEST(WatchLine, ABookmarkOnlyCarriesItsVersion) {
  const auto event = parse_watch_line(
      kConfigMaps, R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}})");
  EXPECT_EQ(event->type, WatchEvent::Type::kBookmark);
  EXPECT_EQ(event->resource_version, 9U);
  EXPECT_EQ(event->object, nullptr);
}

TEST(WatchLine, AnErrorEventIsTheErrorItSays) {
  const auto event =
      parse_watch_line(kConfigMaps, R"({"type":"ERROR","object":{"kind":"Status","code":410,)"
                                    R"("reason":"Expired","message":"old"}})");
  EXPECT_EQ(event.error().code, Code::kExpired);
  EXPECT_EQ(event.error().message, "old");
}

TEST(WatchLine, WhatIsNoEventBreaksTheWatchAndNothingElse) {
  for (const char* line :
       {"", "{", "[]", "7", "{}", R"({"type":"ADDED"})", R"({"type":"ADDED","object":null})",
        R"({"type":"ADDED","object":{}})", R"({"type":"ADDED","object":{"metadata":7}})",
        R"({"type":"ADDED","object":{"metadata":{"name":"a"}}})",
        R"({"type":"ADDED","object":{"metadata":{"resourceVersion":"1"}}})",
        R"({"type":"NEWS","object":{"metadata":{"name":"a","resourceVersion":"1"}}})",
        R"({"type":7,"object":{"metadata":{"name":"a","resourceVersion":"1"}}})"}) {
    EXPECT_EQ(parse_watch_line(kConfigMaps, line).error().code, Code::kUnavailable) << line;
  }
}

TEST(ResourcePath, NamesCollectionsAndObjects) {
  EXPECT_EQ(collection_path(kConfigMaps, "demo"), "/api/v1/namespaces/demo/configmaps");
  EXPECT_EQ(collection_path(kJobs, ""), "/apis/batch/v1/jobs");
  EXPECT_EQ(object_path(kNamespaces, {"", "demo"}), "/api/v1/namespaces/demo");
  EXPECT_EQ(object_path(kFunctions, {"demo", "a/b"}),
            "/apis/lambda.knative.io/v1alpha1/namespaces/demo/lambdafunctions/a%2Fb");
  EXPECT_EQ(query_text({{"a", "1"}, {"b", ""}, {"c", "x=y, z"}}), "?a=1&c=x%3Dy%2C%20z");
}

}  // namespace
}  // namespace hearth::kube_adapter
