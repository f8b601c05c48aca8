"""DNS rebinding: a web page lets a name of its own lead to this machine, and its requests name that
as their Host. None of the ports without a password may do anything for it."""

import http.client
import json
import subprocess
import unittest

from daemon import BINARY, Daemon

# What the page's site may call its names.
FOREIGN = ("evil.com", "evil.com:8080", "EVIL.COM.", "lambda-broker-broker-ingress.dev",
           "broker-ingress.knative-eventing.evil.com",
           "lambda-broker-broker-ingress.knative-lambda.evil.com",
           "hello.default.localhost.evil.com", "hello.default.svc.cluster.local.evil.com",
           "127.0.0.1.evil.com", "notlocalhost.com")
OWN = ("127.0.0.1", "[::1]:1", "localhost", "LOCALHOST:1", "localhost.", "hearth",
       "host.docker.internal:1")
EVENT = {"ce-specversion": "1.0", "ce-id": "1", "ce-type": "t", "ce-source": "/s"}
DEPLOY = {**EVENT, "ce-type": "io.knative.lambda.command.function.deploy",
          "content-type": "application/json"}
HELLO = "def handler(event):\n    return 'hello'\n"


def ask(address, host, method="GET", path="/", body=None, headers=None):
    """(status, body) of a request with that Host."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    try:
        connection.request(method, path, body, {"Host": host, **(headers or {})})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


class RebindingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hearth = cls.enterClassContext(Daemon())
        cls.gateway = cls.hearth.ready["gateway"]
        cls.hearth.apply(cls.hearth.function("hello", HELLO))
        cls.hearth.wait_ready("hello")

    def test_the_gateway_does_nothing_for_a_foreign_host(self):
        manifest = self.hearth.function("planted", HELLO)
        for host in FOREIGN:
            for method, path, body, headers in (
                    ("GET", "/", None, {}), ("GET", "/metrics", None, {}),
                    ("POST", "/events", json.dumps(manifest), DEPLOY),
                    ("POST", "/default/lambda-broker", "x", EVENT), ("POST", "/", "x", EVENT),
                    ("POST", "/function/default/hello/", "{}", {})):
                with self.subTest(host=host, path=path):
                    status, text = ask(self.gateway, host, method, path, body, headers)
                    self.assertEqual(status, 421, text)
        self.assertIsNone(self.hearth.get("lambdafunction", "planted"))

    def test_registry_and_object_store_do_nothing_for_a_foreign_host(self):
        for host in FOREIGN:
            for port, path in (("registry", "/v2/"), ("registry", "/v2/_catalog"), ("s3", "/"),
                               ("s3", "/bucket/key")):
                with self.subTest(host=host, port=port):
                    status, text = ask(self.hearth.ready[port], host, path=path)
                    self.assertEqual(status, 421, text)

    def test_the_refusal_says_what_why_and_what_to_do(self):
        _, text = ask(self.gateway, "box.example.com:8080")
        for words in ('host "box.example.com"', "DNS rebinding", "--host NAME"):
            self.assertIn(words, text)

    def test_the_machines_own_names_are_answered_at_all_ports(self):
        for host in OWN:
            with self.subTest(host=host):
                self.assertEqual(ask(self.gateway, host, path="/healthz"), (200, "ok\n"))
                self.assertEqual(ask(self.gateway, host, "POST", "/function/default/hello/", "{}"),
                                 (200, "hello"))
                self.assertEqual(ask(self.gateway, host, "POST", "/default/lambda-broker", "x",
                                     EVENT)[0], 202)
                self.assertEqual(ask(self.hearth.ready["registry"], host, path="/v2/")[0], 200)
                self.assertEqual(ask(self.hearth.ready["s3"], host)[0], 403)  # not signed
        self.assertEqual(ask(self.hearth.ready["s3"], "bucket.s3.localhost", path="/key")[0], 403)

    def test_the_hosts_of_functions_and_brokers_are_answered(self):
        for host in ("hello.default.localhost", "hello.default.svc.cluster.local",
                     "hello.default.svc", "hello.default"):
            with self.subTest(host=host):
                self.assertEqual(ask(self.gateway, host, "POST", "/", "{}"), (200, "hello"))
        for host, path in (
                ("broker-ingress.knative-eventing.svc.cluster.local", "/default/lambda-broker"),
                ("broker-ingress.knative-eventing.svc", "/default/lambda-broker"),
                ("lambda-broker-broker-ingress.default.svc.cluster.local", "/"),
                ("lambda-broker-broker-ingress.default.svc", "/")):
            with self.subTest(host=host):
                self.assertEqual(ask(self.gateway, host, "POST", path, "x", EVENT)[0], 202)

    def test_an_unknown_name_below_localhost_is_not_found(self):
        status, text = ask(self.gateway, "helo.default.localhost")
        self.assertEqual(status, 404)
        self.assertIn("did you mean http://hello.default.localhost/ ?", text)


class AllowedHostsTest(unittest.TestCase):
    def test_a_name_is_allowed_by_flag_with_what_is_below_it(self):
        with Daemon("--host", "box.example.com,other.example", "--host", "third.example") as hearth:
            for host in ("box.example.com", "Other.Example:8080", "third.example"):
                for port in ("gateway", "registry", "s3"):
                    with self.subTest(host=host, port=port):
                        self.assertNotEqual(ask(hearth.ready[port], host)[0], 421)
            self.assertEqual(ask(hearth.ready["gateway"], "a.b.box.example.com")[0], 404)
            self.assertEqual(ask(hearth.ready["gateway"], "example.com")[0], 421)

    def test_a_name_is_allowed_by_environment_and_file(self):
        with Daemon() as hearth:
            hearth.stop()
            hearth.variables = {"HEARTH_HOSTS": "one.example,two.example"}
            hearth.start()
            for host, status in (("one.example", 200), ("two.example", 200),
                                 ("three.example", 421)):
                self.assertEqual(ask(hearth.ready["gateway"], host)[0], status, host)
            hearth.stop()
            file = hearth.folder / "config.yaml"
            file.write_text("hosts: [three.example]\n")
            hearth.variables = {"HEARTH_CONFIG": str(file)}
            hearth.start()
            for host, status in (("one.example", 421), ("three.example", 200)):
                self.assertEqual(ask(hearth.ready["gateway"], host)[0], status, host)

    def test_what_is_no_name_is_refused_at_start(self):
        for name in ("http://box.example.com", "box.example.com:8080", "*.example.com", "a b"):
            with self.subTest(name=name):
                done = subprocess.run([BINARY, "up", "--ephemeral", "--port", "0", "--host", name],
                                      text=True, capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 5, done.stderr)
                self.assertIn('error: --host: "%s" is no DNS name' % name, done.stderr)


if __name__ == "__main__":
    unittest.main()
