#include "emulator/serving/scaling_annotations.h"

#include <gtest/gtest.h>

namespace hearth::serving {
namespace {

std::string key(const std::string& name) { return "autoscaling.knative.dev/" + name; }

// What is wrong with annotations at "a", a line each.
std::string faults(const std::map<std::string, Json>& annotations) {
  Json object = Json::object();
  for (const auto& [name, value] : annotations) object[key(name)] = value;
  FieldErrors errors;
  check_scaling_annotations(errors, object, "a");
  std::string out;
  for (const FieldError& field : errors.take()) out += field.message + "\n";
  return out;
}

std::string at(const std::string& name) { return ": a." + key(name) + "\n"; }

TEST(ScalingAnnotations, TakeWhatKnativeTakes) {
  EXPECT_EQ(faults({}), "");
  EXPECT_EQ(faults({{"class", "kpa.autoscaling.knative.dev"},
                    {"metric", "concurrency"},
                    {"min-scale", "0"},
                    {"max-scale", "50"},
                    {"initial-scale", "1"},
                    {"activation-scale", "2"},
                    {"target", "0.5"},
                    {"window", "1m30s"},
                    {"scale-down-delay", "15m"},
                    {"scale-to-zero-pod-retention-period", "2h"},
                    {"panic-window-percentage", "10.0"},
                    {"panic-threshold-percentage", "200"},
                    {"target-utilization-percentage", "70"},
                    {"target-burst-capacity", "-1"},
                    {"metric-aggregation-algorithm", "weighted-exponential"},
                    {"something-new", "x"}}),
            "");
  EXPECT_EQ(faults({{"class", "hpa.autoscaling.knative.dev"}, {"metric", "cpu"}}), "");
  EXPECT_EQ(faults({{"class", "mine.example.com"}, {"metric", "moon"}}), "");
}

TEST(ScalingAnnotations, BoundScales) {
  EXPECT_EQ(faults({{"min-scale", "-1"}}), "expected 0 <= -1 <= 2147483647" + at("min-scale"));
  EXPECT_EQ(faults({{"max-scale", "2147483648"}}),
            "expected 0 <= 2147483648 <= 2147483647" + at("max-scale"));
  EXPECT_EQ(faults({{"minScale", "1.5"}}), "invalid value: 1.5" + at("minScale"));
  EXPECT_EQ(faults({{"min-scale", "2"}, {"minScale", "x"}}), "");
  EXPECT_EQ(faults({{"min-scale", "3"}, {"max-scale", "2"}}),
            "max-scale=2 is less than min-scale=3: a." + key("max-scale") + ", a." +
                key("min-scale") + "\n");
  EXPECT_EQ(faults({{"min-scale", "3"}, {"max-scale", "0"}}), "");
}

TEST(ScalingAnnotations, BoundTheFirstInstances) {
  EXPECT_EQ(faults({{"initial-scale", "0"}}),
            "invalid value: 0: a." + key("initial-scale") + "=0 not allowed by cluster\n");
  EXPECT_EQ(faults({{"initialScale", "-1"}}),
            "invalid value: -1: a." + key("initialScale") + " must be greater than 0\n");
  EXPECT_EQ(faults({{"initial-scale", "one"}}), "invalid value: one" + at("initial-scale"));
  EXPECT_EQ(faults({{"activation-scale", "1"}}),
            "activation-scale=1 must be greater than 1" + at("activation-scale"));
  EXPECT_EQ(faults({{"activation-scale", "5"}, {"max-scale", "4"}}),
            "max-scale=4 is less than activation-scale=5" + at("activation-scale"));
  EXPECT_EQ(faults({{"activation-scale", "2"}, {"min-scale", "4"}}),
            "min-scale=4 is greater than activation-scale=2" + at("activation-scale"));
}

TEST(ScalingAnnotations, BoundPercentagesAndTargets) {
  EXPECT_EQ(faults({{"panic-window-percentage", "0.5"}}),
            "expected 1 <= 0.5 <= 100" + at("panic-window-percentage"));
  EXPECT_EQ(faults({{"panicThresholdPercentage", "109"}}),
            "expected 110 <= 109 <= 1000" + at("panicThresholdPercentage"));
  EXPECT_EQ(faults({{"target-utilization-percentage", "101"}}),
            "expected 1 <= 101 <= 100" + at("target-utilization-percentage"));
  EXPECT_EQ(faults({{"target", "0"}}), "target 0 should be at least 0.01" + at("target"));
  for (const char* number : {"", "ten", "10x", "nan"}) {
    EXPECT_EQ(faults({{"target", number}}), std::string("invalid value: ") + number + at("target"));
  }
  EXPECT_EQ(faults({{"target-burst-capacity", "-2"}}),
            "invalid value: -2" + at("target-burst-capacity"));
}

TEST(ScalingAnnotations, BoundWindows) {
  EXPECT_EQ(faults({{"window", "5s"}}), "expected 6s <= 5s <= 1h0m0s" + at("window"));
  EXPECT_EQ(faults({{"window", "61m"}}), "expected 6s <= 61m <= 1h0m0s" + at("window"));
  EXPECT_EQ(faults({{"window", "60"}}), "invalid value: 60" + at("window"));
  EXPECT_EQ(faults({{"window", "6500ms"}}),
            "must be specified with at most second precision" + at("window"));
  EXPECT_EQ(faults({{"scaleDownDelay", "2h"}}),
            "expected 0s <= 2h <= 1h0m0s" + at("scaleDownDelay"));
  EXPECT_EQ(faults({{"scale-to-zero-pod-retention-period", "soon"}}),
            "invalid value: soon" + at("scale-to-zero-pod-retention-period"));
}

TEST(ScalingAnnotations, KnowTheAutoscalersAndTheirMetrics) {
  EXPECT_EQ(faults({{"class", "kpa.knative.dev"}}), "invalid value: kpa.knative.dev" + at("class"));
  EXPECT_EQ(faults({{"metric", "cpu"}}), "invalid value: cpu" + at("metric"));
  EXPECT_EQ(faults({{"class", "hpa.autoscaling.knative.dev"}, {"metric", ""}}),
            "invalid value: " + at("metric"));
  EXPECT_EQ(faults({{"class", "kpa.autoscaling.knative.dev"},
                    {"metric-aggregation-algorithm", "median"}}),
            "invalid value: median" + at("metric-aggregation-algorithm"));
}

TEST(ScalingAnnotations, AreText) {
  EXPECT_EQ(faults({{"min-scale", 1}}),
            "invalid value: 1 is not text (numbers and booleans need quotes)" + at("min-scale"));
}

TEST(ScalingAnnotations, BelongToTheTemplate) {
  const auto refused = [](const Json& object, const Json* old) {
    FieldErrors errors;
    refuse_scaling_annotations(errors, object, old);
    return !errors.empty();
  };
  Json object{{"metadata", {{"annotations", {{"note", "x"}}}}}};
  EXPECT_FALSE(refused(object, nullptr));
  object["metadata"]["annotations"][key("minScale")] = "1";
  EXPECT_TRUE(refused(object, nullptr));
  EXPECT_FALSE(refused(object, &object));
}

}  // namespace
}  // namespace hearth::serving
