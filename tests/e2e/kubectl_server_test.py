"""What kubectl leaves to the API server: owners of fields, rights, Events, columns, admission."""

import json
import re
import subprocess
import unittest

from daemon import BINARY, wait_for
from kubectl_client import KubectlTests, config_map, for_each_client

HELLO = "def handler(event):\n    return 'hello'\n"
BROKEN = "def handler(event:\n"


class ServerSide(KubectlTests):
    def apply(self, manager, manifest, *arguments):
        return self.run_kubectl("apply", "--server-side", "--field-manager=" + manager, "-f", "-",
                                *arguments, input=manifest)

    def applied(self, manager, manifest, *arguments):
        done = self.apply(manager, manifest, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def managers(self, *arguments):
        shown = ["--show-managed-fields"] if self.client_minor >= 21 else []  # before: always
        found = json.loads(self.kubectl("get", *arguments, "-o", "json", *shown))
        return {entry["manager"]: entry for entry in found["metadata"]["managedFields"]}

    def columns(self, *arguments):
        return re.split(r"\s{2,}", self.kubectl("get", *arguments).splitlines()[0])

    def events(self, kind, name):
        return [event["reason"] for event in self.get("events")["items"]
                if (event["involvedObject"]["kind"], event["involvedObject"]["name"])
                == (kind, name)]

    # server-side apply

    def test_server_side_apply_creates_changes_and_prunes(self):
        out = self.applied("ada", config_map("mine", {"a": "1", "b": "2"}))
        self.assertEqual(out, "configmap/mine serverside-applied\n")
        before = self.get("cm", "mine")
        self.applied("ada", config_map("mine", {"a": "1", "b": "2"}))
        self.assertEqual(self.get("cm", "mine")["metadata"]["resourceVersion"],
                         before["metadata"]["resourceVersion"])
        self.applied("ada", config_map("mine", {"b": "3"}))
        self.assertEqual(self.get("cm", "mine")["data"], {"b": "3"})
        entry = self.managers("cm", "mine")["ada"]
        self.assertEqual((entry["operation"], entry["fieldsType"]), ("Apply", "FieldsV1"))
        self.assertEqual(entry["fieldsV1"]["f:data"], {"f:b": {}})

    def test_two_managers_conflict_until_one_forces(self):
        self.applied("ada", config_map("shared", {"a": "1", "b": "2"}))
        failed = self.apply("grace", config_map("shared", {"a": "9"}))
        self.assertNotEqual(failed.returncode, 0)
        self.assertIn('conflict with "ada": .data.a', failed.stderr)
        self.applied("grace", config_map("shared", {"a": "9"}), "--force-conflicts")
        self.assertEqual(self.get("cm", "shared")["data"], {"a": "9", "b": "2"})
        self.assertEqual(self.managers("cm", "shared")["ada"]["fieldsV1"]["f:data"], {"f:b": {}})
        # An equal value is shared, no conflict.
        self.applied("ada", config_map("shared", {"a": "9", "b": "2"}))

    def test_other_writes_take_fields_too(self):
        self.applied("ada", config_map("edited", {"a": "1"}))
        self.kubectl("patch", "cm", "edited", "--type=merge", "-p", '{"data": {"a": "2"}}')
        failed = self.apply("ada", config_map("edited", {"a": "1"}))
        self.assertIn("kubectl-patch", failed.stderr)
        self.assertIn(".data.a", failed.stderr)

    def test_from_client_side_to_server_side_apply(self):
        self.kubectl("apply", "-f", "-", input=config_map("moved", {"a": "1", "b": "2"}))
        self.kubectl("apply", "--server-side", "-f", "-", input=config_map("moved", {"a": "5"}))
        self.assertEqual(self.get("cm", "moved")["data"]["a"], "5")
        self.assertEqual(self.managers("cm", "moved")["kubectl"]["operation"], "Apply")

    def test_containers_merge_by_name(self):
        def deployment(*containers):
            return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
                    "spec": {"selector": {"matchLabels": {"app": "web"}},
                             "template": {"metadata": {"labels": {"app": "web"}},
                                          "spec": {"containers": list(containers)}}}}
        self.applied("ada", deployment({"name": "main", "image": "nginx",
                                        "ports": [{"containerPort": 80, "protocol": "TCP"}]}))
        self.applied("grace", deployment({"name": "side", "image": "busybox"}))
        containers = self.get("deploy", "web")["spec"]["template"]["spec"]["containers"]
        self.assertEqual(sorted(c["name"] for c in containers), ["main", "side"])
        failed = self.apply("grace", deployment({"name": "main", "image": "apache"}))
        self.assertIn('.spec.template.spec.containers[name="main"].image', failed.stderr)
        self.applied("ada", deployment({"name": "other", "image": "nginx"}))
        containers = self.get("deploy", "web")["spec"]["template"]["spec"]["containers"]
        self.assertEqual(sorted(c["name"] for c in containers), ["other", "side"])

    def test_functions_are_applied_server_side(self):
        function = self.hearth.function("applied", HELLO, namespace=self.namespace)
        self.applied("ada", function)
        self.kubectl("wait", "lf/applied", "--for=condition=Ready", "--timeout=90s")
        function["spec"]["scaling"] = {"maxReplicas": 3}
        self.applied("ada", function)
        self.assertEqual(self.get("lf", "applied")["spec"]["scaling"]["maxReplicas"], 3)
        function["spec"]["nonsense"] = True
        self.assertIn("nonsense", self.apply("ada", function).stderr)
        self.kubectl("delete", "lf", "applied")

    def test_a_server_side_dry_run_stores_nothing(self):
        self.applied("ada", config_map("dry", {"a": "1"}), "--dry-run=server")
        self.assertIn("not found", self.error("get", "cm", "dry"))

    # rights

    def test_may_i(self):
        self.assertEqual(self.kubectl("auth", "can-i", "create", "deployments").strip(), "yes")
        self.assertEqual(self.kubectl("auth", "can-i", "*", "*").strip(), "yes")
        self.assertIn("*.*", self.kubectl("auth", "can-i", "--list"))
        done = self.run_kubectl("auth", "whoami", "-o", "json")
        if done.returncode == 0:  # older clients have no such command
            user = json.loads(done.stdout)["status"]["userInfo"]
            self.assertEqual(user["username"], "kubernetes-admin")
            self.assertIn("system:masters", user["groups"])
        else:
            self.assertRegex(done.stderr, "unknown (command|shorthand)")

    def test_reviews_of_others(self):
        def review(kind, group, **spec):
            return json.loads(self.kubectl("create", "-o", "json", "-f", "-", input={
                "apiVersion": group + "/v1", "kind": kind, "spec": spec}))["status"]
        access = {"resourceAttributes": {"verb": "get", "resource": "pods"}}
        self.assertFalse(review("SubjectAccessReview", "authorization.k8s.io", user="eve",
                                **access)["allowed"])
        self.assertTrue(review("SubjectAccessReview", "authorization.k8s.io", user="eve",
                               groups=["system:masters"], **access)["allowed"])
        self.assertFalse(review("TokenReview", "authentication.k8s.io", token="wrong")
                         .get("authenticated", False))

    def test_every_namespace_begins_with_an_account_and_the_authority(self):
        account = wait_for(lambda: self.run_kubectl("get", "sa", "default").returncode == 0, 20,
                           "the account")
        self.assertTrue(account)
        certificate = self.get("cm", "kube-root-ca.crt")["data"]["ca.crt"]
        self.assertIn("BEGIN CERTIFICATE", certificate)
        self.kubectl("delete", "namespace", self.namespace, "--timeout=60s")

    # Events

    def test_events_tell_the_life_of_a_function(self):
        self.kubectl("apply", "-f", "-", input=self.hearth.function(
            "told", HELLO, namespace=self.namespace))
        self.kubectl("wait", "lf/told", "--for=condition=Ready", "--timeout=90s")
        wait_for(lambda: "Ready" in self.events("LambdaFunction", "told"), 20, "the Event")
        self.assertIn("BuildSucceeded", self.events("LambdaFunction", "told"))
        described = self.kubectl("describe", "lf", "told")
        self.assertRegex(described, r"Normal +Ready")
        wait_for(lambda: "Ready" in self.events("Service", "told"), 20, "the Service's Event")
        self.assertIn("Ready", self.kubectl("describe", "ksvc", "told").split("Events:")[1])
        job = self.get("jobs")["items"][0]["metadata"]["name"]
        wait_for(lambda: "Completed" in self.events("Job", job), 20, "the Job's Event")
        self.assertIn("Completed", self.kubectl("describe", "job", job).split("Events:")[1])
        pod = self.get("pods", "-l", "serving.knative.dev/service=told")["items"][0]
        described = self.kubectl("describe", "pod", pod["metadata"]["name"])
        self.assertIn("Started", described.split("Events:")[1])
        listed = self.kubectl("get", "events", "--field-selector",
                              "involvedObject.kind=LambdaFunction,reason=Ready")
        self.assertIn("lambdafunction/told", listed)
        own = subprocess.run([BINARY, "describe", "lf", "told", "-n",
                              self.namespace], text=True, capture_output=True, timeout=60,
                             env=self.hearth.environment())
        self.assertRegex(own.stdout, r"Normal +Ready")
        self.kubectl("delete", "lf", "told")

    def test_events_tell_why_a_function_fails(self):
        self.kubectl("apply", "-f", "-", input=self.hearth.function(
            "broken", BROKEN, namespace=self.namespace))
        wait_for(lambda: "Warning" in [e["type"] for e in self.get("events")["items"]], 60,
                 "a warning")
        self.assertRegex(self.kubectl("describe", "lf", "broken").split("Events:")[1], "Warning")
        missing = self.hearth.function("missing", "", namespace=self.namespace)
        missing["spec"]["source"] = {"type": "minio", "minio": {"bucket": "none", "key": "x"}}
        self.kubectl("apply", "-f", "-", input=missing)
        wait_for(lambda: "BuildContextFailed" in self.events("LambdaFunction", "missing"), 60,
                 "the missing source to be told")
        self.kubectl("delete", "lf", "broken", "missing")

    # columns and small answers

    def test_columns_of_built_in_kinds(self):
        self.assertEqual(self.columns("ns"), ["NAME", "STATUS", "AGE"])
        self.assertEqual(self.columns("cm"), ["NAME", "DATA", "AGE"])
        self.kubectl("create", "secret", "generic", "s")
        self.assertEqual(self.columns("secret"), ["NAME", "TYPE", "DATA", "AGE"])
        self.kubectl("create", "service", "clusterip", "web", "--tcp=80:8080")
        line = self.kubectl("get", "service", "web").splitlines()[1].split()
        self.assertEqual(line[:5], ["web", "ClusterIP", "<none>", "<none>", "80/TCP"])
        self.kubectl("run", "idle", "--image=nginx", "--restart=Never")
        line = self.kubectl("get", "pod", "idle", "-o", "wide").splitlines()[1].split()
        self.assertEqual(line[:4], ["idle", "0/1", "Pending", "0"])
        self.assertIn("idle", self.kubectl("get", "pods", "-l", "run=idle"))
        self.assertIn("No resources found", self.run_kubectl("get", "pods", "-l", "run=x").stderr)
        self.assertEqual(self.columns("crd", "-n", "default")[:2], ["NAME", "CREATED AT"])
        self.assertEqual(self.columns("pod"), ["NAME", "READY", "STATUS", "RESTARTS", "AGE"])

    def test_columns_of_custom_kinds(self):
        self.kubectl("apply", "-f", "-", input={
            "apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
            "metadata": {"name": "orders"}, "spec": {}})
        self.assertEqual(self.columns("broker"), ["NAME", "URL", "AGE", "READY", "REASON"])
        self.kubectl("apply", "-f", "-", input=self.trigger("t"))
        self.assertEqual(self.columns("trigger"),
                         ["NAME", "BROKER", "SUBSCRIBER_URI", "AGE", "READY", "REASON"])

    def test_a_deployment_scales_and_says_that_it_does_not_run(self):
        self.kubectl("create", "deployment", "web", "--image=nginx")
        self.kubectl("scale", "deployment", "web", "--replicas=3")
        self.assertEqual(self.get("deployment", "web")["spec"]["replicas"], 3)
        self.assertIn("0/3", self.kubectl("get", "deployment", "web"))
        self.kubectl("scale", "deployment", "web", "--current-replicas=3", "--replicas=2")
        self.assertEqual(self.get("deployment", "web")["spec"]["replicas"], 2)
        self.assertIn("exceeded its progress deadline",
                      self.error("rollout", "status", "deployment/web", "--timeout=30s"))
        self.assertIn("nothing runs them", self.kubectl("describe", "deployment", "web") +
                      self.kubectl("get", "deployment", "web", "-o", "yaml"))

    # Brokers and Triggers

    def trigger(self, name, **spec):
        return {"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger",
                "metadata": {"name": name},
                "spec": {"broker": "orders", "subscriber": {"uri": "http://example.com/"}, **spec}}

    def refused(self, manifest, *texts):
        failed = self.error("apply", "--validate=false", "-f", "-", input=manifest)
        for text in texts:
            self.assertIn(text, failed)

    def test_triggers_are_checked(self):
        self.kubectl("apply", "-f", "-", input=self.trigger("t"))
        found = self.get("trigger", "t")
        self.assertEqual(found["metadata"]["labels"]["eventing.knative.dev/broker"], "orders")
        self.refused(self.trigger("t", broker="other"), "Immutable fields changed", "spec")
        self.refused(self.trigger("x", filters=[{"exact": {"Type": "a"}}]),
                     "spec.filters[0].exact", "Attribute name must start with a letter")
        self.refused(self.trigger("x", filters=[{"exact": {"type": "a"}, "prefix": {"id": "b"}}]),
                     "spec.filters[0]", "multiple dialects")
        self.refused(self.trigger("x", delivery={"backoffDelay": "soon"}),
                     "spec.delivery.backoffDelay")
        self.refused(self.trigger("x", subscriber={}), "spec.subscriber")
        self.refused(self.trigger("x", subscriber={"uri": "/relative"}), "spec.subscriber.uri")
        reference = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "s"}}
        self.kubectl("apply", "-f", "-", input=self.trigger("r", subscriber=reference))
        self.assertEqual(self.get("trigger", "r")["spec"]["subscriber"]["ref"]["namespace"],
                         self.namespace)

    def test_brokers_are_checked(self):
        broker = {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
                  "metadata": {"name": "orders"}, "spec": {}}
        self.kubectl("apply", "-f", "-", input=broker)
        found = self.get("broker", "orders")
        self.assertEqual(found["metadata"]["annotations"]["eventing.knative.dev/broker.class"],
                         "MTChannelBasedBroker")
        self.assertEqual(found["spec"]["config"]["name"], "config-br-default-channel")
        other = json.loads(json.dumps(broker))
        other["metadata"]["annotations"] = {"eventing.knative.dev/broker.class": "Other"}
        self.refused(other, "Immutable annotations changed", "annotations")
        other = json.loads(json.dumps(broker))
        other["spec"]["config"] = {"apiVersion": "v1", "kind": "ConfigMap", "name": "mine"}
        self.refused(other, "Immutable fields changed", "spec")
        broker["spec"]["delivery"] = {"backoffPolicy": "sometimes"}
        self.refused(broker, "spec.delivery.backoffPolicy")

    def test_a_member_that_stands_twice_is_refused_or_reported(self):
        twice = ('{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "twice"},'
                 ' "data": {"a": "1", "a": "2"}}')
        path = "/api/v1/namespaces/%s/configmaps?fieldValidation=" % self.namespace
        strict = self.run_kubectl("create", "--raw", path + "Strict", "-f", "-", input=twice)
        self.assertNotEqual(strict.returncode, 0)
        self.assertIn('strict decoding error: duplicate field "data.a"', strict.stderr)
        self.assertEqual(self.kubectl("get", "cm", "twice", "--ignore-not-found"), "")
        warned = self.run_kubectl("create", "--raw", path + "Warn", "-f", "-", input=twice)
        self.assertEqual(warned.returncode, 0, warned.stderr)
        self.assertIn('Warning: duplicate field "data.a"', warned.stderr)

    # lists and watches

    def test_pages_of_a_list_show_one_version(self):
        for name in ("a", "b", "c"):
            self.kubectl("create", "cm", name)
        path = "/api/v1/namespaces/%s/configmaps" % self.namespace
        page = json.loads(self.kubectl("get", "--raw", path + "?limit=2"))
        self.kubectl("delete", "cm", "c")
        self.kubectl("create", "cm", "d")
        rest = json.loads(self.kubectl("get", "--raw", "%s?limit=9&continue=%s" % (
            path, page["metadata"]["continue"])))
        self.assertEqual(rest["metadata"]["resourceVersion"], page["metadata"]["resourceVersion"])
        names = [o["metadata"]["name"] for o in rest["items"]]
        self.assertIn("c", names)
        self.assertNotIn("d", names)
        self.assertEqual(page["metadata"]["remainingItemCount"], 2)

    def test_a_watch_ends_with_a_bookmark_of_now(self):
        path = "/api/v1/namespaces/%s/secrets" % self.namespace
        version = json.loads(self.kubectl("get", "--raw", path))["metadata"]["resourceVersion"]
        self.kubectl("create", "cm", "elsewhere")
        events = [json.loads(line) for line in self.kubectl(
            "get", "--raw", "%s?watch=1&timeoutSeconds=3&allowWatchBookmarks=true"
            "&resourceVersion=%s" % (path, version)).splitlines()]
        self.assertEqual([e["type"] for e in events], ["BOOKMARK"])
        self.assertGreater(int(events[0]["object"]["metadata"]["resourceVersion"]), int(version))


for_each_client(ServerSide, globals())


if __name__ == "__main__":
    unittest.main()
