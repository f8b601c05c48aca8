"""What `hearth up` is told by flags, environment and configuration file: whose word holds, and what
the words do."""

import itertools
import json
import os
import pathlib
import socket
import ssl
import tempfile
import unittest
import urllib.error
import urllib.request

from daemon import Daemon, wait_for

PORTS = ("gateway", "api", "s3", "registry")
RAISES = "def handler(event):\n    raise KeyError('inner detail')\n"


def setUpModule():
    # Those of the test run would have their say in each daemon here.
    for name in [name for name in os.environ if name.startswith("HEARTH_")]:
        if name not in ("HEARTH_BINARY", "HEARTH_CACHE"):
            del os.environ[name]


def address_of(url):
    host, port = url.rsplit("/", 1)[-1].rsplit(":", 1)
    return host, int(port)


class EphemeralTest(unittest.TestCase):
    def test_the_state_is_gone_when_the_daemon_ends_and_another_folder_is_left_alone(self):
        temporary = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        hearth = Daemon("--ephemeral")
        hearth.variables = {"TMPDIR": str(temporary)}
        with hearth:
            state = pathlib.Path(hearth.ready["state"])
            self.assertEqual(state.parent, temporary)
            hearth.apply(hearth.function("brief", "def handler(event):\n    return 'was here'\n"))
            hearth.wait_ready("brief")
            self.assertEqual(hearth.call("brief.default.localhost", "{}")[2], "was here")
            self.assertTrue((state / "hearth.db").exists())
            self.assertEqual(hearth.stop(), 0)
            self.assertEqual(list(temporary.iterdir()), [])
            self.assertFalse((hearth.folder / "state").exists(), "what --state names is not used")


class DevelopmentTest(unittest.TestCase):
    def reply(self, *flags):
        """What a caller of a function that raises gets."""
        with Daemon(*flags) as hearth:
            hearth.apply(hearth.function("raises", RAISES))
            hearth.wait_ready("raises")
            status, _, body = hearth.call("raises.default.localhost", "{}")
            self.assertEqual(status, 500)
            error = json.loads(body)["error"]
            self.assertEqual(error["code"], "KeyError")
            return error, body

    def test_with_dev_the_caller_gets_the_traceback(self):
        error, _ = self.reply("--dev")
        self.assertIn("Traceback (most recent call last)", error["stack"])
        self.assertIn("raise KeyError('inner detail')", error["stack"])

    def test_without_dev_the_caller_gets_none(self):
        error, body = self.reply()
        self.assertNotIn("stack", error)
        self.assertNotIn("Traceback", body)


class ListenTest(unittest.TestCase):
    def test_all_ports_answer_at_the_address_and_only_there(self):
        with Daemon("--listen", "127.0.0.2") as hearth:
            for port in PORTS:
                with self.subTest(port=port):
                    host, number = address_of(hearth.ready[port])
                    self.assertEqual(host, "127.0.0.2")
                    self.assert_speaks_http(port, host, number)
                    with self.assertRaises(ConnectionRefusedError):
                        socket.create_connection(("127.0.0.1", number), timeout=10)
            # The certificate and the kubeconfig are for that address, too.
            hearth.kubectl("get", "namespaces")
            hearth.apply(hearth.function("there", "def handler(event):\n    return 'there'\n"))
            hearth.wait_ready("there")
            self.assertEqual(hearth.call("there.default.localhost", "{}")[2], "there")

    def assert_speaks_http(self, port, host, number):
        scheme = "https" if port == "api" else "http"
        try:
            with urllib.request.urlopen("%s://%s:%d/" % (scheme, host, number), timeout=10,
                                        context=ssl._create_unverified_context()) as answer:
                self.assertLess(answer.status, 400)
        except urllib.error.HTTPError as answer:
            with answer:
                self.assertIn(answer.code, (401, 403, 404))


class PrecedenceTest(unittest.TestCase):
    """A flag wins over the environment, that over the file, the file over the default."""

    # Who says it, strongest first; where listening, which key, which format of log lines.
    ADDRESSES = {"flag": "127.0.0.2", "environment": "127.0.0.3", "file": "127.0.0.4",
                 "default": "127.0.0.1"}
    KEYS = {"flag": "of-the-flag", "environment": "of-the-environment", "file": "of-the-file",
            "default": "hearth"}
    # There are but two formats: each has another than the next weaker one who may say it.
    FORMATS = {"flag": "text", "environment": "json", "file": "text", "default": "json"}

    def test_the_strongest_of_those_who_say_it_holds(self):
        for said in itertools.product((True, False), repeat=3):
            sayers = [who for who, says in zip(("flag", "environment", "file"), said) if says]
            with self.subTest(sayers=sayers):
                strongest = [*sayers, "default"][0]
                with self.told_by(sayers) as hearth:
                    self.assertEqual(address_of(hearth.ready["gateway"])[0],
                                     self.ADDRESSES[strongest])
                    self.assertEqual(hearth.ready["s3AccessKey"], self.KEYS[strongest])
                    is_json = hearth.output().startswith("{")
                    self.assertEqual("json" if is_json else "text", self.FORMATS[strongest])

    def told_by(self, sayers):
        hearth = Daemon()
        if "flag" in sayers:
            hearth.flags += ("--listen", self.ADDRESSES["flag"], "--s3-access-key",
                             self.KEYS["flag"], "--log-format", self.FORMATS["flag"])
        if "environment" in sayers:
            hearth.variables = {"HEARTH_LISTEN": self.ADDRESSES["environment"],
                                "HEARTH_S3_ACCESS_KEY": self.KEYS["environment"],
                                "HEARTH_LOG_FORMAT": self.FORMATS["environment"]}
        if "file" in sayers:
            hearth.flags += ("--config", self.config(
                hearth, listen=self.ADDRESSES["file"], s3AccessKey=self.KEYS["file"],
                logFormat=self.FORMATS["file"]))
        return hearth

    @staticmethod
    def config(hearth, **keys):
        path = hearth.folder / "config.yaml"
        path.write_text("".join("%s: %s\n" % (key, json.dumps(value))
                                for key, value in keys.items()))
        return str(path)

    def test_a_switch_that_the_environment_turns_off_is_off_though_the_file_turns_it_on(self):
        for variables, on in (({"HEARTH_ACCESS_LOG": "false"}, False), ({}, True)):
            with self.subTest(variables=variables):
                hearth = Daemon()
                hearth.flags = ("--config", self.config(hearth, accessLog=True))
                hearth.variables = variables
                with hearth:
                    hearth.call("localhost", path="/status?asked")
                    if on:
                        wait_for(lambda: "/status" in hearth.output(), 10, "the line of a request")
                    hearth.stop()  # everything has been written
                    self.assertEqual("/status" in hearth.output(), on)

    def test_the_port_of_each_server_follows_the_same_order(self):
        with socket.create_server(("127.0.0.9", 0)) as free:
            port = free.getsockname()[1]
        hearth = Daemon("--listen", "127.0.0.9")
        hearth.flags += ("--config", self.config(hearth, s3Port=1, registryPort=1, apiPort=1))
        hearth.flags += ("--s3-port", "0")
        hearth.variables = {"HEARTH_S3_PORT": "1", "HEARTH_REGISTRY_PORT": "0",
                            "HEARTH_API_PORT": str(port)}
        with hearth:
            self.assertNotEqual(address_of(hearth.ready["s3"])[1], 1)
            self.assertNotEqual(address_of(hearth.ready["registry"])[1], 1)
            self.assertEqual(address_of(hearth.ready["api"])[1], port)


if __name__ == "__main__":
    unittest.main()
