"""What people type: kubectl as it is on this machine, and the current one, against the real binary."""

import base64
import json
import select
import subprocess
import unittest

from daemon import BINARY, wait_for
from kubectl_client import KubectlTests, config_map, for_each_client

HELLO = "def handler(event):\n    print('I was here')\n    return 'hello'\n"
# Python's own way out would say nothing: what it wrote last is all there is.
CRASHES = """import os
def handler(event):
    if event.get('crash'):
        for i in range(100):
            print('%d of a long story %s' % (i, '.' * 70))
        print('the last words', flush=True)
        os._exit(3)
"""
FOLDER_MANIFESTS = {
    "one.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, labels: {app: many}}\n"
                "data: {a: '1'}\n---\n"
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two, labels: {app: many}}\n",
    "three.json": json.dumps({"apiVersion": "v1", "kind": "Secret",
                              "metadata": {"name": "three", "labels": {"app": "many"}},
                              "stringData": {"key": "value"}}),
}
WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com", "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget",
                  "shortNames": ["wd"]},
        "versions": [{
            "name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
            "additionalPrinterColumns": [{"name": "Size", "type": "integer",
                                          "jsonPath": ".spec.size"}],
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {
                "type": "object", "description": "What the widget is.", "required": ["size"],
                "properties": {"size": {"type": "integer", "minimum": 1,
                                        "description": "In millimetres."},
                               "colour": {"type": "string", "enum": ["red", "green"]}}}}}}}]}}


class CommonTasks(KubectlTests):
    def setUp(self):
        super().setUp()
        # Lists of ConfigMaps show what the test made and nothing else.
        def removed():
            return self.run_kubectl("delete", "cm", "kube-root-ca.crt").returncode == 0
        wait_for(removed, 30, "the namespace's own ConfigMap")

    # create of typed objects

    def test_create_config_maps_and_secrets(self):
        binary = self.scratch / "binary.dat"
        binary.write_bytes(b"\x00\xff\x80")
        out = self.kubectl("create", "configmap", "settings", "--from-literal=colour=grün",
                           "--from-literal=empty=", "--from-file=" + str(binary))
        self.assertEqual(out, "configmap/settings created\n")
        found = self.get("cm", "settings")
        self.assertEqual(found["data"], {"colour": "grün", "empty": ""})
        self.assertEqual(found["binaryData"], {"binary.dat": "AP+A"})
        self.assertTrue(found["metadata"]["uid"])
        self.assertRegex(found["metadata"]["creationTimestamp"], r"^\d{4}-\d\d-\d\dT[\d:]{8}Z$")
        self.kubectl("create", "secret", "generic", "key", "--from-literal=token=s3cret")
        found = self.get("secret", "key")
        self.assertEqual(found["type"], "Opaque")
        self.assertEqual(base64.b64decode(found["data"]["token"]), b"s3cret")
        self.kubectl("create", "secret", "docker-registry", "pull", "--docker-username=u",
                     "--docker-password=p", "--docker-server=localhost:5001")
        self.assertEqual(self.get("secret", "pull")["type"], "kubernetes.io/dockerconfigjson")

    def test_create_accounts_and_rights(self):
        self.kubectl("create", "serviceaccount", "robot")
        self.kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods,configmaps")
        self.kubectl("create", "rolebinding", "reads", "--role=reader",
                     "--serviceaccount=%s:robot" % self.namespace)
        role = self.get("role", "reader")
        self.assertEqual(role["rules"], [{"apiGroups": [""], "resources": ["pods", "configmaps"],
                                          "verbs": ["get", "list"]}])
        binding = self.get("rolebinding", "reads")
        self.assertEqual(binding["roleRef"], {"apiGroup": "rbac.authorization.k8s.io",
                                              "kind": "Role", "name": "reader"})
        self.assertEqual(binding["subjects"], [{"kind": "ServiceAccount", "name": "robot",
                                                "namespace": self.namespace}])
        self.kubectl("create", "clusterrole", self.namespace, "--verb=*", "--resource=secrets")
        self.kubectl("create", "clusterrolebinding", self.namespace, "--user=ada",
                     "--clusterrole=" + self.namespace)
        binding = self.get("clusterrolebinding", self.namespace)
        self.assertEqual(binding["subjects"][0]["name"], "ada")

    def test_create_services_quotas_and_ingresses(self):
        self.kubectl("create", "service", "clusterip", "web", "--tcp=80:8080")
        port = self.get("service", "web")["spec"]["ports"][0]
        self.assertEqual((port["port"], port["targetPort"], port["protocol"]), (80, 8080, "TCP"))
        self.kubectl("create", "quota", "small", "--hard=pods=3,requests.memory=1Gi")
        self.assertEqual(self.get("quota", "small")["spec"]["hard"],
                         {"pods": "3", "requests.memory": "1Gi"})
        self.kubectl("create", "ingress", "front", "--rule=example.com/path*=web:80")
        rule = self.get("ingress", "front")["spec"]["rules"][0]
        self.assertEqual(rule["host"], "example.com")
        self.assertEqual(rule["http"]["paths"][0]["backend"],
                         {"service": {"name": "web", "port": {"number": 80}}})

    def test_create_disruption_budgets_and_cron_jobs(self):
        if self.client_minor < 21:
            self.skipTest("this kubectl creates them in their beta versions, which are not served")
        self.kubectl("create", "poddisruptionbudget", "floor", "--selector=app=web",
                     "--min-available=50%")
        self.assertEqual(self.get("pdb", "floor")["spec"]["minAvailable"], "50%")
        self.kubectl("create", "cronjob", "nightly", "--image=busybox", "--schedule=0 3 * * *",
                     "--", "echo", "")
        spec = self.get("cronjob", "nightly")["spec"]
        self.assertEqual(spec["schedule"], "0 3 * * *")
        pod = spec["jobTemplate"]["spec"]["template"]["spec"]
        self.assertEqual(pod["containers"][0]["command"], ["echo", ""])
        self.assertEqual(pod["restartPolicy"], "OnFailure")

    def test_create_workloads(self):
        self.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2", "--port=80")
        spec = self.get("deployment", "web")["spec"]
        self.assertEqual(spec["replicas"], 2)
        self.assertEqual(spec["selector"], {"matchLabels": {"app": "web"}})
        container = spec["template"]["spec"]["containers"][0]
        self.assertEqual((container["name"], container["image"]), ("nginx", "nginx"))
        self.assertEqual(container["ports"][0]["containerPort"], 80)

    def test_create_sends_protobuf_when_it_is_a_current_kubectl(self):
        done = self.run_kubectl("create", "configmap", "traced", "--from-literal=a=b", "-v=9")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.get("cm", "traced")["data"], {"a": "b"})
        if self.sends_protobuf:
            self.assertIn("application/vnd.kubernetes.protobuf", done.stderr)

    def test_dry_runs_store_nothing(self):
        client = self.kubectl("create", "cm", "dry", "--dry-run=client", "-o", "yaml")
        self.assertIn("kind: ConfigMap", client)
        server = self.kubectl("create", "cm", "dry", "--from-literal=a=b", "--dry-run=server")
        self.assertIn("configmap/dry created (server dry run)", server)
        self.assertIn("not found", self.error("get", "cm", "dry"))

    # apply, replace, patch

    def test_apply_a_file_a_folder_and_standard_input(self):
        path = self.file("single.yaml", "apiVersion: v1\nkind: ConfigMap\n"
                                        "metadata: {name: single}\ndata: {a: '1', b: '2'}\n")
        self.assertEqual(self.kubectl("apply", "-f", path), "configmap/single created\n")
        self.assertEqual(self.kubectl("apply", "-f", path), "configmap/single unchanged\n")
        self.file("single.yaml", "apiVersion: v1\nkind: ConfigMap\n"
                                 "metadata: {name: single}\ndata: {a: '3'}\n")
        different = self.run_kubectl("diff", "-f", path)
        self.assertEqual(different.returncode, 1, different.stderr)
        self.assertIn('+  a: "3"', different.stdout)
        self.assertEqual(self.kubectl("apply", "-f", path), "configmap/single configured\n")
        self.assertEqual(self.get("cm", "single")["data"], {"a": "3"})
        folder = self.scratch / self.namespace / "many"
        folder.mkdir()
        for name, text in FOLDER_MANIFESTS.items():
            (folder / name).write_text(text)
        out = self.kubectl("apply", "-f", str(folder))
        self.assertEqual(sorted(out.splitlines()),
                         ["configmap/one created", "configmap/two created", "secret/three created"])
        self.assertEqual(base64.b64decode(self.get("secret", "three")["data"]["key"]), b"value")
        out = self.kubectl("apply", "-f", "-", input=config_map("piped", {"x": "y"}))
        self.assertEqual(out, "configmap/piped created\n")
        self.assertIn("last-applied-configuration",
                      self.kubectl("get", "cm", "piped", "-o", "yaml"))
        self.kubectl("delete", "-f", str(folder))
        self.assertEqual(self.get("cm,secrets", "-l", "app=many")["items"], [])

    def test_patch_merge_json_and_strategic(self):
        self.kubectl("create", "cm", "patched", "--from-literal=a=1", "--from-literal=b=2")
        self.kubectl("patch", "cm", "patched", "--type=merge", "-p",
                     '{"data": {"a": null, "c": "3"}}')
        self.assertEqual(self.get("cm", "patched")["data"], {"b": "2", "c": "3"})
        self.kubectl("patch", "cm", "patched", "--type=json", "-p",
                     '[{"op": "replace", "path": "/data/b", "value": "20"},'
                     ' {"op": "add", "path": "/data/d~1e", "value": "4"}]')
        self.assertEqual(self.get("cm", "patched")["data"], {"b": "20", "c": "3", "d/e": "4"})
        self.kubectl("create", "deployment", "web", "--image=nginx")
        containers = [{"name": "side", "image": "busybox"}]
        out = self.kubectl("patch", "deployment", "web", "-p", json.dumps(
            {"spec": {"template": {"spec": {"containers": containers}}}}))
        self.assertEqual(out, "deployment.apps/web patched\n")
        containers = self.get("deployment", "web")["spec"]["template"]["spec"]["containers"]
        self.assertEqual({c["name"]: c["image"] for c in containers},
                         {"nginx": "nginx", "side": "busybox"})
        self.kubectl("set", "image", "deployment/web", "nginx=nginx:2")
        containers = self.get("deployment", "web")["spec"]["template"]["spec"]["containers"]
        self.assertEqual({c["name"]: c["image"] for c in containers},
                         {"nginx": "nginx:2", "side": "busybox"})
        self.assertIn("patched (no change)", self.kubectl("patch", "cm", "patched", "-p", "{}"))

    def test_a_json_patch_that_fails_says_why(self):
        self.kubectl("create", "cm", "tested", "--from-literal=b=1")
        failed = self.error("patch", "cm", "tested", "--type=json", "-p",
                            '[{"op": "test", "path": "/data/b", "value": "other"}]')
        # The oldest keeps the server's message to itself.
        self.assertIn("/data/b" if self.client_minor > 20 else "is invalid", failed)

    def test_replace_and_edit(self):
        self.kubectl("create", "cm", "swapped", "--from-literal=a=1")
        stale = self.get("cm", "swapped")
        out = self.kubectl("replace", "-f", "-", input=config_map("swapped", {"b": "2"}))
        self.assertEqual(out, "configmap/swapped replaced\n")
        self.assertEqual(self.get("cm", "swapped")["data"], {"b": "2"})
        self.assertIn("the object has been modified", self.error("replace", "-f", "-", input=stale))
        self.kubectl("replace", "--force", "-f", "-",
                     input=config_map("swapped", {"c": "three"}))
        self.assertNotEqual(self.get("cm", "swapped")["metadata"]["uid"], stale["metadata"]["uid"])
        self.kubectl("edit", "cm", "swapped",
                     environment={"KUBE_EDITOR": "sed -i s/three/thirty/"})
        self.assertEqual(self.get("cm", "swapped")["data"]["c"], "thirty")

    def test_label_and_annotate(self):
        self.kubectl("create", "cm", "marked")
        self.assertEqual(self.kubectl("label", "cm", "marked", "tier=front", "env=dev"),
                         "configmap/marked labeled\n")
        self.assertIn("--overwrite", self.error("label", "cm", "marked", "tier=back"))
        self.kubectl("label", "--overwrite", "cm", "marked", "tier=back", "env-")
        self.kubectl("annotate", "cm", "marked", "note=two words")
        metadata = self.get("cm", "marked")["metadata"]
        self.assertEqual(metadata["labels"], {"tier": "back"})
        self.assertEqual(metadata["annotations"], {"note": "two words"})

    # get, describe

    def test_get_in_every_form(self):
        self.kubectl("apply", "-f", "-", input={"apiVersion": "v1", "kind": "List", "items": [
            config_map("first", {"a": "1", "b": "2"}, labels={"app": "x", "tier": "front"}),
            config_map("second", {"a": "2"}, labels={"app": "x"}),
            config_map("third", {}, labels={"app": "y"})]})
        names = lambda *selection: self.kubectl("get", "cm", *selection, "-o", "name").split()
        table = self.kubectl("get", "cm").splitlines()
        self.assertEqual(table[0].split(), ["NAME", "DATA", "AGE"])
        self.assertRegex(table[1], r"^first +2 +\d+s$")
        self.assertIn("first", self.kubectl("get", "cm", "-o", "wide"))
        self.assertIn("\nkind: ConfigMap\n", self.kubectl("get", "cm", "first", "-o", "yaml"))
        self.assertEqual(self.get("cm")["kind"], "List")
        self.assertEqual(self.kubectl("get", "cm", "first", "-o", "jsonpath={.data.a}-{.data.b}"),
                         "1-2")
        self.assertEqual(self.kubectl("get", "cm", "-o", "jsonpath={.items[*].metadata.name}"),
                         "first second third")
        columns = self.kubectl("get", "cm", "-o", "custom-columns=N:.metadata.name,A:.data.a")
        self.assertEqual([line.split() for line in columns.splitlines()],
                         [["N", "A"], ["first", "1"], ["second", "2"], ["third", "<none>"]])
        self.assertEqual(names("-l", "app=x"), ["configmap/first", "configmap/second"])
        self.assertEqual(names("-l", "app in (x),!tier"), ["configmap/second"])
        self.assertEqual(names("-l", "app!=x"), ["configmap/third"])
        self.assertEqual(names("--field-selector", "metadata.name=third"), ["configmap/third"])
        self.assertEqual(names("--chunk-size=1"), names())
        self.assertIn("app=x,tier=front", self.kubectl("get", "cm", "--show-labels"))
        self.assertIn("front", self.kubectl("get", "cm", "-L", "tier"))
        by_data = self.kubectl("get", "cm", "--sort-by=.data.a", "-l", "app=x", "--no-headers")
        self.assertEqual([line.split()[0] for line in by_data.splitlines()], ["first", "second"])
        everywhere = self.kubectl("get", "cm", "-A").splitlines()
        self.assertEqual(everywhere[0].split(), ["NAMESPACE", "NAME", "DATA", "AGE"])
        self.assertTrue(any(line.split()[:2] == [self.namespace, "third"] for line in everywhere))
        self.assertIn("configmap/first",
                      self.kubectl("get", "cm/first", "ns/default", "-o", "name"))
        self.assertEqual(self.run_kubectl("get", "secrets").stderr.strip(),
                         "No resources found in %s namespace." % self.namespace)

    def test_get_with_watch_shows_changes_as_they_come(self):
        self.kubectl("create", "cm", "before")
        watch = self.start("get", "cm", "--watch", "--output-watch-events")
        expect = lambda *words: self.assertEqual(watch.stdout.readline().split()[:2], [*words])
        expect("EVENT", "NAME")
        expect("ADDED", "before")
        self.kubectl("create", "cm", "during")
        expect("ADDED", "during")
        self.kubectl("label", "cm", "during", "a=b")
        expect("MODIFIED", "during")
        self.kubectl("delete", "cm", "before")
        expect("DELETED", "before")
        table = self.start("get", "cm", "-w")
        self.assertEqual(table.stdout.readline().split(), ["NAME", "DATA", "AGE"])
        self.assertEqual(table.stdout.readline().split()[:2], ["during", "0"])
        self.kubectl("create", "cm", "later")
        self.assertEqual(table.stdout.readline().split()[:2], ["later", "0"])

    def test_describe(self):
        self.kubectl("create", "cm", "told", "--from-literal=key=the value")
        out = self.kubectl("describe", "cm", "told")
        self.assertRegex(out, r"Name: +told\n")
        self.assertIn("the value", out)
        self.kubectl("create", "secret", "generic", "hidden", "--from-literal=key=the value")
        out = self.kubectl("describe", "secret", "hidden")
        self.assertIn("9 bytes", out)
        self.assertNotIn("the value", out)
        self.kubectl("create", "deployment", "web", "--image=nginx")
        self.assertIn("nginx", self.kubectl("describe", "deployment", "web"))
        self.assertRegex(self.kubectl("describe", "ns", self.namespace), r"Status: +Active")
        self.assertIn("Name:", self.kubectl("describe", "nodes"))

    # delete

    def test_delete_by_name_label_and_namespace(self):
        for name in ("a", "b", "c", "d"):
            self.kubectl("create", "cm", name)
        self.assertIn('"a" deleted', self.kubectl("delete", "cm", "a"))
        self.kubectl("label", "cm", "b", "app=gone")
        self.kubectl("delete", "cm", "-l", "app=gone")
        self.assertEqual(self.kubectl("get", "cm", "-o", "name").split(),
                         ["configmap/c", "configmap/d"])
        self.kubectl("delete", "cm", "a", "--ignore-not-found")
        self.kubectl("delete", "cm", "c", "--cascade=orphan", "--now")
        self.kubectl("delete", "cm", "--all")
        self.assertEqual(self.get("cm")["items"], [])
        self.kubectl("create", "namespace", "short-lived")
        self.kubectl("-n", "short-lived", "create", "cm", "inside")
        self.kubectl("delete", "namespace", "short-lived", "--timeout=30s")
        self.assertIn("not found", self.error("get", "namespace", "short-lived"))
        self.assertIn("not found", self.error("-n", "short-lived", "get", "cm", "inside"))

    def test_delete_waits_for_finalizers(self):
        self.kubectl("apply", "-f", "-",
                     input=config_map("held", {}, finalizers=["example.com/hold"]))
        waiting = self.start("wait", "--for=delete", "cm/held", "--timeout=60s")
        self.kubectl("delete", "cm", "held", "--wait=false")
        self.assertTrue(self.get("cm", "held")["metadata"]["deletionTimestamp"])
        self.kubectl("patch", "cm", "held", "--type=merge", "-p",
                     '{"metadata": {"finalizers": null}}')
        self.assertEqual(waiting.wait(60), 0)
        self.assertIn("not found", self.error("get", "cm", "held"))

    # what is served

    def test_api_resources_versions_and_explain(self):
        resources = self.kubectl("api-resources")
        self.assertRegex(resources, r"lambdafunctions +lf\S* +lambda.knative.io/v1alpha1 +true +"
                                    r"LambdaFunction")
        self.assertRegex(resources, r"configmaps +cm +v1 +true +ConfigMap")
        self.assertIn("deployments.apps", self.kubectl("api-resources", "-o", "name",
                                                       "--api-group=apps"))
        self.assertIn("serving.knative.dev/v1\n", self.kubectl("api-versions"))
        self.assertIn("Server Version", self.kubectl("version"))
        explained = self.kubectl("explain", "lambdafunction.spec.source")
        self.assertIn("Where the code comes from", explained)
        self.assertIn("inline", explained)
        self.assertIn("language", self.kubectl("explain", "lf.spec.runtime", "--recursive"))

    def test_definitions_of_custom_kinds(self):
        self.addCleanup(self.run_kubectl, "delete", "crd", "widgets.example.com",
                        "--ignore-not-found")
        self.kubectl("apply", "-f", self.file("crd.json", WIDGETS))
        self.kubectl("wait", "--for=condition=Established", "crd/widgets.example.com",
                     "--timeout=30s")
        widget = lambda name, **spec: {"apiVersion": "example.com/v1", "kind": "Widget",
                                       "metadata": {"name": name}, "spec": spec}
        self.assertEqual(self.kubectl("apply", "-f", "-", input=widget("big", size=7)),
                         "widget.example.com/big created\n")
        self.assertEqual([line.split() for line in self.kubectl("get", "wd").splitlines()],
                         [["NAME", "SIZE"], ["big", "7"]])
        self.assertIn("In millimetres", self.kubectl("explain", "widget.spec.size"))
        self.kubectl("patch", "widget", "big", "--type=merge", "-p", '{"spec":{"colour":"red"}}')
        self.assertEqual(self.get("widget", "big")["metadata"]["generation"], 2)
        for wrong, field in (({"size": 0}, "spec.size"), ({"size": "many"}, "spec.size"),
                             ({}, "spec.size"), ({"size": 1, "colour": "blue"}, "spec.colour")):
            failed = self.error("create", "--validate=false", "-f", "-",
                                input=widget("wrong", **wrong))
            self.assertIn('The Widget "wrong" is invalid', failed)
            self.assertIn(field, failed)
        failed = self.error("apply", "-f", "-", input=widget("odd", size=1, sise=2))
        self.assertIn("sise", failed)
        # Strategic merge is for built-in kinds.
        self.assertIn("415", self.error("patch", "widget", "big", "--type=strategic", "-p",
                                        '{"spec":{"size":8}}', "-v=6"))
        self.kubectl("delete", "crd", "widgets.example.com", "--timeout=30s")
        self.assertNotIn("widgets", self.kubectl("api-resources"))
        # Which of two texts depends on what this kubectl remembers.
        self.assertRegex(self.error("get", "widgets"),
                         "doesn't have a resource type|could not find the requested resource")

    def test_errors_say_what_is_wrong(self):
        self.assertEqual(self.error("get", "cm", "nope").strip(),
                         'Error from server (NotFound): configmaps "nope" not found')
        self.assertEqual(self.error("delete", "lf", "nope").strip(),
                         'Error from server (NotFound): lambdafunctions.lambda.knative.io "nope" '
                         'not found')
        self.kubectl("create", "cm", "twice")
        self.assertIn('configmaps "twice" already exists', self.error("create", "cm", "twice"))
        failed = self.error("create", "-f", "-", input=config_map("Bad_Name", {}))
        self.assertIn('The ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value', failed)
        failed = self.error("create", "cm", "Bad_Name")
        self.assertIn("metadata.name: Invalid value", failed)
        self.assertIn('namespaces "nowhere" not found',
                      self.error("-n", "nowhere", "create", "cm", "x"))
        self.assertIn('the server doesn\'t have a resource type "gadgets"',
                      self.error("get", "gadgets"))
        bad = self.hearth.function("bad", HELLO, "pyhton", namespace=self.namespace)
        self.assertIn("spec.runtime.language", self.error("create", "-f", "-", input=bad))
        self.assertIn('no matches for kind "Gadget"',
                      self.error("apply", "-f", "-", input={"apiVersion": "example.com/v1",
                                                            "kind": "Gadget",
                                                            "metadata": {"name": "x"}}))

    def test_labels_are_checked(self):
        # kubectl label checks them itself: a patch leaves it to the server.
        self.kubectl("create", "cm", "marked")
        self.assertIn("metadata.labels",
                      self.error("patch", "cm", "marked", "--type=merge", "-p",
                                 '{"metadata": {"labels": {"tier": "not/valid"}}}'))

    def test_values_of_built_in_kinds_are_checked(self):
        for wrong in (config_map("wrong", {"port": 8080}), config_map("wrong", ["a"])):
            self.assertIn("data", self.error("create", "--validate=false", "-f", "-", input=wrong))
        self.assertIn("not found", self.error("get", "cm", "wrong"))

    # a function

    def test_a_function_is_waited_for_described_and_read(self):
        self.kubectl("apply", "-f", self.file("function.json", self.hearth.function(
            "hello", HELLO, namespace=self.namespace)))
        out = self.kubectl("wait", "--for=condition=Ready", "lambdafunction/hello", "--timeout=90s")
        self.assertEqual(out, "lambdafunction.lambda.knative.io/hello condition met\n")
        if self.client_minor >= 23:
            self.kubectl("wait", "--for=jsonpath={.metadata.name}=hello", "lf/hello",
                         "--timeout=10s")
        self.assertRegex(self.kubectl("describe", "lf", "hello"), r"Type: +Ready")
        self.assertIn("hello", self.kubectl("get", "lf,ksvc,revisions"))
        self.assertIn("timed out", self.error("wait", "--for=condition=Ready=False", "lf/hello",
                                              "--timeout=1s"))
        self.assertEqual(self.hearth.call("hello.%s.localhost" % self.namespace, "{}")[0], 200)
        selector = "serving.knative.dev/service=hello"
        pod = self.kubectl("get", "pods", "-l", selector, "-o", "name").split()[0]
        self.assertIn(pod.removeprefix("pod/"), self.kubectl("get", "pods", "-o", "wide"))
        wait_for(lambda: "I was here" in self.kubectl("logs", pod), 10, "the line in the log")
        self.assertIn("I was here", self.kubectl("logs", "-l", selector, "--all-containers"))
        self.assertEqual(len(self.kubectl("logs", pod, "--tail=1").splitlines()), 1)
        self.assertRegex(self.kubectl("logs", pod, "--timestamps"),
                         r"\d{4}-\d\d-\d\dT\S+Z I was here")
        following = self.start("logs", "-f", pod, "--tail=0")

        def a_new_line_is_followed():
            self.hearth.call("hello.%s.localhost" % self.namespace, "{}")
            return select.select([following.stdout], [], [], 1)[0]
        wait_for(a_new_line_is_followed, 20, "the followed log to show a line")
        self.assertIn("I was here", following.stdout.readline())
        self.assertIn("Name:", self.kubectl("describe", pod))
        self.assertIn("not found", self.error("logs", "no-such-pod"))
        self.kubectl("delete", "lf", "hello", "--timeout=30s")
        wait_for(lambda: not self.get("ksvc")["items"], 30, "its Service to go")

    def test_what_a_crashed_instance_said_last_can_be_read(self):
        self.kubectl("apply", "-f", self.file("function.json", self.hearth.function(
            "crashes", CRASHES, namespace=self.namespace)))
        self.kubectl("wait", "--for=condition=Ready", "lf/crashes", "--timeout=90s")
        host = "crashes.%s.localhost" % self.namespace
        self.assertGreaterEqual(self.hearth.call(host, '{"crash": true}')[0], 500)

        def crash_told():
            return [event["message"] for event in self.get("events")["items"]
                    if event["reason"] == "BackOff"]
        message = wait_for(crash_told, 30, "the Event of the crash")[0]
        self.assertRegex(message, r"^ExitCode3 \(exit code 3\); the next attempt waits \d+ s\n"
                                  r"\d+ of a long story")
        self.assertTrue(message.endswith("\nthe last words"), message)
        self.assertLessEqual(len(message), 1024)

        selector = "serving.knative.dev/service=crashes"
        ended = wait_for(lambda: [pod for pod in self.get("pods", "-l", selector)["items"]
                                  if pod["status"].get("phase") == "Failed"], 30,
                         "the Pod of the crash")[0]
        state = ended["status"]["containerStatuses"][0]["state"]["terminated"]
        self.assertEqual((state["exitCode"], state["reason"]), (3, "Error"))
        self.assertIn("the last words", self.kubectl("logs", ended["metadata"]["name"]))
        told = subprocess.run([BINARY, "logs", "crashes", "-n", self.namespace], text=True,
                              capture_output=True, timeout=60, env=self.hearth.environment())
        self.assertIn("the last words", told.stdout)

        self.assertEqual(self.hearth.call(host, "{}")[0], 200)
        running = wait_for(lambda: [
            pod for pod in self.get("pods", "-l", selector, "--field-selector",
                                    "status.phase=Running")["items"]], 30, "the next instance")
        running = running[0]["metadata"]["name"]
        wait_for(lambda: len(self.get("pods", "-l", selector)["items"]) == 1, 30,
                 "the Pod of the crash to go")
        self.assertNotIn("the last words", self.kubectl("logs", running))
        self.assertIn("the last words", self.kubectl("logs", running, "--previous"))

    def split_service(self, image, colour, *revisions):
        traffic = [{"revisionName": name, "percent": 100 // len(revisions)} for name in revisions]
        self.kubectl("apply", "-f", self.file("service.json", {
            "apiVersion": "serving.knative.dev/v1", "kind": "Service",
            "metadata": {"name": "split"},
            "spec": {"traffic": traffic or [{"latestRevision": True, "percent": 100}],
                     "template": {"spec": {"containers": [
                         {"image": image, "env": [{"name": "COLOUR", "value": colour}]}]}}}}))

    def routed(self):
        traffic = self.get("route", "split")["status"].get("traffic", [])
        return [target["revisionName"] for target in traffic]

    def test_a_route_tells_when_a_revision_that_it_names_was_deleted(self):
        self.kubectl("apply", "-f", self.file("function.json", self.hearth.function(
            "colour", HELLO, namespace=self.namespace)))
        self.kubectl("wait", "--for=condition=Ready", "lf/colour", "--timeout=90s")
        image = self.get("lf", "colour")["status"]["buildStatus"]["imageURI"]
        self.split_service(image, "blue")
        self.kubectl("wait", "ksvc/split", "--for=condition=Ready", "--timeout=60s")
        self.split_service(image, "green", "split-00001", "split-00002")
        wait_for(lambda: self.routed() == ["split-00001", "split-00002"], 60, "the split")
        self.kubectl("delete", "revision", "split-00001")
        self.kubectl("wait", "route/split", "--for=condition=AllTrafficAssigned=False",
                     "--timeout=30s")
        self.kubectl("wait", "ksvc/split", "--for=condition=Ready=False", "--timeout=30s")
        for owner in (self.get("route", "split"), self.get("ksvc", "split")):
            ready = [c for c in owner["status"]["conditions"] if c["type"] == "Ready"][0]
            self.assertEqual((ready["reason"], ready["message"]), (
                "RevisionMissing", 'Revision "split-00001" referenced in traffic not found.'))
        self.assertEqual(self.routed(), ["split-00002"])
        self.assertEqual(self.hearth.call("split.%s.localhost" % self.namespace, "{}")[0], 200)
        self.split_service(image, "green")
        self.kubectl("wait", "ksvc/split", "--for=condition=Ready", "--timeout=60s")
        self.assertEqual(self.hearth.call("split.%s.localhost" % self.namespace, "{}")[0], 200)


for_each_client(CommonTasks, globals())


if __name__ == "__main__":
    unittest.main()
