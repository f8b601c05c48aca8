"""The controllers as a process of their own, working on a cluster through its API."""

import json
import os
import subprocess
import unittest
import urllib.request

import yaml

from daemon import BINARY, wait_for
from fault_proxy import FaultProxy, Held
from operator_process import Cluster, Operator

HELLO = "def handler(event):\n    return 'hello from ' + event.get('who', 'nobody')\n"


def settled(hearth, name):
    """Everything a Ready function is made of, once each."""
    jobs = hearth.items("jobs", name)
    services = hearth.items("services.serving.knative.dev", name)
    triggers = hearth.items("triggers", name)
    contexts = hearth.items("configmaps", name)
    revisions = json.loads(hearth.kubectl(
        "get", "revisions", "-l", "serving.knative.dev/service=" + name, "-o", "json"))["items"]
    return {"jobs": len(jobs), "services": len(services), "triggers": len(triggers),
            "contexts": len(contexts), "revisions": len(revisions)}


ONCE = {"jobs": 1, "services": 1, "triggers": 1, "contexts": 1, "revisions": 1}


class OperatorTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hearth = Cluster()
        cls.hearth.__enter__()
        cls.addClassCleanup(cls.hearth.__exit__)

    def call(self, name, data='{"who": "ada"}'):
        return self.hearth.call(name + ".default.localhost", data)

    def phase(self, name):
        function = self.hearth.get("lambdafunction", name)
        return (function or {}).get("status", {}).get("phase")

    def test_a_function_becomes_ready_and_answers_then_changes_then_goes(self):
        hearth = self.hearth
        hearth.apply(hearth.function("walk", HELLO))
        with self.assertRaises(AssertionError):
            hearth.wait_ready("walk", timeout=2)  # nobody acts on it: the daemon is only a cluster
        self.assertIsNone(self.phase("walk"))
        with Operator(hearth) as operator:
            hearth.wait_ready("walk", timeout=120)
            self.assertEqual(self.call("walk")[2], "hello from ada")
            self.assertEqual(settled(hearth, "walk"), ONCE)

            hearth.apply(hearth.function("walk", HELLO.replace("hello", "good day")))
            wait_for(lambda: self.call("walk")[2] == "good day from ada", 120, "the new code")

            hearth.kubectl("delete", "lambdafunction", "walk", "--timeout=60s")
            for kind in ("jobs", "services.serving.knative.dev", "triggers", "configmaps"):
                wait_for(lambda: not hearth.items(kind, "walk"), 60, kind + " to go")
            self.assertEqual(operator.stop(), 0)
            self.assertNotIn("bug", operator.output())

    def test_what_render_shows_is_what_the_cluster_gets(self):
        hearth = self.hearth
        manifest = hearth.function("shown", HELLO, scaling={"minReplicas": 0, "maxReplicas": 3})
        registry = hearth.ready["registry"]
        out = subprocess.run(
            [BINARY, "render", "-f", "-", "--push-registry", registry, "--pull-registry", registry],
            input=json.dumps(manifest), text=True, capture_output=True, check=True).stdout
        rendered = {(item["kind"], item["metadata"]["name"]): item
                    for item in yaml.safe_load_all(out)}
        with Operator(hearth):
            hearth.apply(manifest)
            hearth.wait_ready("shown", timeout=120)
            job = hearth.items("jobs", "shown")[0]
            service = hearth.get("ksvc", "shown")
            context = hearth.get("configmap", "shown-build-context")
            trigger = hearth.get("trigger", "shown-trigger")
        shown = rendered[("Job", job["metadata"]["name"])]
        self.assertEqual(shown["spec"]["template"]["spec"]["containers"][0]["args"],
                         job["spec"]["template"]["spec"]["containers"][0]["args"])
        self.assertEqual(rendered[("ConfigMap", "shown-build-context")]["binaryData"],
                         context["binaryData"])
        self.assertEqual(rendered[("Trigger", "shown-trigger")]["spec"], trigger["spec"])
        wanted = rendered[("Service", "shown")]["spec"]["template"]
        self.assertEqual(wanted["spec"]["containers"][0]["image"],
                         service["spec"]["template"]["spec"]["containers"][0]["image"])
        self.assertEqual(wanted["metadata"]["annotations"],
                         service["spec"]["template"]["metadata"]["annotations"])
        self.assertNotIn("ownerReferences", out)

    def test_kill_9_at_any_step_loses_and_doubles_nothing(self):
        hearth = self.hearth
        proxy = self.enterContext(FaultProxy(hearth))
        operator = Operator(hearth, kubeconfig=proxy.kubeconfig)
        operator.start()
        # What leads out of the phase; the operator is killed while it waits for the answer.
        leave = {"Building": {"method": "POST", "path": "/services", "about": "phoenix-building"},
                 "Deploying": {"method": "PUT", "path": "/phoenix-deploying/status",
                               "about": '"phase":"Ready"'}}
        try:
            for phase in ("Building", "Deploying", "Ready"):
                name, held = "phoenix-" + phase.lower(), Held()
                self.addCleanup(held.release)
                if phase in leave:
                    proxy.fail(held, **leave[phase])
                hearth.apply(hearth.function(name, HELLO))
                if phase in leave:
                    self.assertTrue(held.arrived.wait(120), name + " was about to leave " + phase)
                else:
                    hearth.wait_ready(name, timeout=120)
                self.assertEqual(self.phase(name), phase)
                operator.kill()
                operator.start(synced=False)
                hearth.wait_ready(name, timeout=120)
                # What the killed one asked for may still arrive when its heir has done it.
                held.release()
                wait_for(lambda: all(request.answered for request in proxy.requests
                                     if request.fault), 60, "the late request to be through")
                self.assertEqual(self.call(name)[2], "hello from ada")
                self.assertEqual(settled(hearth, name), ONCE)
            # And while nobody was there at all.
            operator.kill()
            hearth.apply(hearth.function("orphan", HELLO))
            hearth.kubectl("delete", "lambdafunction", "phoenix-ready", "--wait=false")
            operator.start(synced=False)
            hearth.wait_ready("orphan", timeout=120)
            wait_for(lambda: hearth.get("lambdafunction", "phoenix-ready") is None, 60,
                     "the deleted function to go")
            self.assertEqual(operator.stop(), 0)
        finally:
            operator.__exit__()

    def test_commands_are_taken_when_asked_for(self):
        hearth = self.hearth
        event = {"specversion": "1.0", "id": "c1", "source": "/test", "datacontenttype":
                 "application/json", "type": "io.knative.lambda.command.function.deploy",
                 "data": hearth.function("commanded", HELLO)}
        with Operator(hearth, "--commands") as operator:
            request = urllib.request.Request(
                operator.url + "/events", data=json.dumps(event).encode(),
                headers={"Content-Type": "application/cloudevents+json"})
            with urllib.request.urlopen(request, timeout=60) as answer:
                self.assertEqual(answer.status, 202)
            hearth.wait_ready("commanded", timeout=120)
        with Operator(hearth) as operator:
            self.assertEqual(operator.probe("/events"), 404)

    def test_lifecycle_events_reach_the_broker(self):
        hearth = self.hearth
        with Operator(hearth):
            hearth.apply(hearth.function("told", HELLO))
            hearth.wait_ready("told", timeout=120)
            token = (hearth.folder / "state" / "token").read_text().strip()

            def types():
                _, _, body = hearth.call("localhost", path="/hearth/v1/events?limit=500",
                                         headers={"Authorization": "Bearer " + token})
                return [event["type"] for event in json.loads(body)["items"]
                        if event.get("subject") == "default/told"]
            wait_for(lambda: "io.knative.lambda.lifecycle.function.ready" in types(), 60,
                     "the event of a ready function")

    def test_of_two_operators_one_works_until_it_is_killed(self):
        hearth = self.hearth
        hearth.kubectl("create", "namespace", "leases")
        flags = ("--leader-elect", "--lease-namespace", "leases")

        def holder():
            out = hearth.kubectl("get", "lease", "lambdafunction.lambda.knative.io", "-n", "leases",
                                 "-o", "jsonpath={.spec.holderIdentity}", check=False)
            return out.stdout
        with Operator(hearth, *flags) as first:
            wait_for(holder, 60, "the first to lead")
            leader = holder()
            with Operator(hearth, *flags) as second:
                wait_for(lambda: second.probe("/readyz") == 200, 60, "the second to stand by")
                self.assertEqual(holder(), leader)
                first.kill()
                hearth.apply(hearth.function("inherited", HELLO))
                hearth.wait_ready("inherited", timeout=180)
                self.assertNotEqual(holder(), leader)
                self.assertEqual(settled(hearth, "inherited"), ONCE)
                self.assertEqual(second.stop(), 0)
            self.assertEqual(holder(), "")

    def test_a_login_that_is_not_supported_is_named(self):
        config = self.hearth.folder / "exec.yaml"
        config.write_text("""
current-context: eks
contexts: [{name: eks, context: {cluster: eks, user: eks}}]
clusters: [{name: eks, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: eks, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: aws}}}]
""")
        done = subprocess.run([BINARY, "operator", "--kubeconfig", str(config)], text=True,
                              capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn('user "eks": the exec plugin "aws" is not supported', done.stderr)
        done = subprocess.run([BINARY, "operator", "--kubeconfig", str(config), "--context", "ekz"],
                              text=True, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 3)
        self.assertIn('did you mean "eks"?', done.stderr)

    def kubeconfig_with(self, name, change):
        with open(self.hearth.ready["kubeconfig"], encoding="utf-8") as file:
            config = yaml.safe_load(file)
        change(config)
        path = self.hearth.folder / name
        path.write_text(json.dumps(config))
        return path

    def test_a_token_that_can_not_be_sent_is_an_error_at_once(self):
        def set_token(config):
            config["users"][0]["user"] = {"token": "two\nlines"}
        path = self.kubeconfig_with("torn-token.yaml", set_token)
        done = subprocess.run([BINARY, "operator", "--kubeconfig", str(path), "--port", "0"],
                              text=True, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 5)
        self.assertRegex(done.stderr, '%s: user ".*": token: holds a line break' % path)

    def test_an_authority_of_another_cluster_is_named(self):
        # Of the same name as ours, as every cluster's is.
        made = self.hearth.folder / "other-ca.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null", "-subj",
                        "/O=Hearth/CN=hearth-ca", "-out", str(made)], check=True,
                       capture_output=True, timeout=60)

        def set_authority(config):
            cluster = config["clusters"][0]["cluster"]
            cluster.pop("certificate-authority-data")
            cluster["certificate-authority"] = str(made)
        operator = Operator(self.hearth, kubeconfig=self.kubeconfig_with("wrong-ca.yaml",
                                                                         set_authority))
        operator.start(synced=False)
        try:
            wait_for(lambda: "was not issued by the authority" in operator.output(), 60,
                     "it to say what is wrong")
        finally:
            operator.__exit__()

    def test_what_a_killed_operator_left_goes_with_the_next(self):
        temporary = self.hearth.folder / "tmp"
        temporary.mkdir()
        before = os.environ.get("TMPDIR")
        os.environ["TMPDIR"] = str(temporary)
        try:
            first = Operator(self.hearth)
            first.start(synced=False)
            left = os.listdir(temporary)
            first.kill()
            self.assertEqual(os.listdir(temporary), left)
            with Operator(self.hearth) as second:
                now = os.listdir(temporary)
                self.assertEqual((len(left), len(now)), (1, 1))
                self.assertNotEqual(now, left)
                self.assertEqual(second.stop(), 0)
            self.assertEqual(os.listdir(temporary), [])
        finally:
            os.environ.pop("TMPDIR")
            if before is not None:
                os.environ["TMPDIR"] = before

    def test_it_waits_for_a_server_that_is_not_there_yet(self):
        hearth = self.hearth
        def set_server(config):
            config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
        operator = Operator(hearth, kubeconfig=self.kubeconfig_with("unreachable.yaml", set_server))
        operator.start(synced=False)
        try:
            wait_for(lambda: "watch_broken" in operator.output(), 60, "it to say what is wrong")
            self.assertEqual(operator.probe("/healthz"), 200)
            self.assertEqual(operator.probe("/readyz"), 503)
            self.assertEqual(operator.stop(), 0)
        finally:
            operator.__exit__()


if __name__ == "__main__":
    unittest.main()
