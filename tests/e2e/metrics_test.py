"""GET /metrics, read by Prometheus' own parser; the access log; trace ids; SIGHUP."""

import json
import re
import signal
import subprocess
import unittest
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

import daemon

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00-%s-00f067aa0ba902b7-01" % TRACE
ECHO = "def handler(event):\n    return event\n"
SLOW = "import time\n\ndef handler(event):\n    time.sleep(600)\n"
DOCUMENT = daemon.ROOT / "docs/metrics.md"


class MetricsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hearth = daemon.Daemon("--access-log", "--log-format", "json")
        cls.hearth.start()
        try:
            cls.hearth.apply(cls.hearth.function("echo", ECHO))
            cls.hearth.wait_ready("echo")
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.hearth.__exit__()

    def families(self):
        status, headers, text = self.hearth.call("localhost", path="/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        return {family.name: family for family in text_string_to_metric_families(text)}

    def value(self, name, **labels):
        """The sum of the samples of that name that have the labels."""
        return sum(sample.value for family in self.families().values() for sample in family.samples
                   if sample.name == name
                   and all(sample.labels.get(key) == value for key, value in labels.items()))

    def log_lines(self, event):
        lines = [json.loads(line) for line in self.hearth.output().splitlines()
                 if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def test_requests_count_by_revision_and_status(self):
        count = lambda: self.value("kn_serving_invocation_duration_seconds_count",
                                   kn_service_name="echo", http_response_status_code="200")
        before = count()
        for _ in range(3):
            self.assertEqual(self.hearth.call("echo.default.localhost", "{}")[0], 200)
        self.assertEqual(count(), before + 3)
        self.assertEqual(self.value("kn_revision_pods_count", kn_service_name="echo"), 1)
        self.assertEqual(self.value("kn_revision_request_queued", kn_service_name="echo"), 0)

    def test_the_broker_counts_what_it_took_delivered_and_buried(self):
        trigger = {"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger",
                   "metadata": {"name": "nowhere", "namespace": "default"},
                   "spec": {"broker": "lambda-broker",
                            "filter": {"attributes": {"type": "metrics.test"}},
                            "delivery": {"retry": 1, "backoffPolicy": "linear",
                                         "backoffDelay": "PT0.05S"},
                            "subscriber": {"uri": "http://127.0.0.1:1/"}}}
        self.hearth.apply(trigger)
        self.hearth.kubectl("wait", "trigger/nowhere", "--for=condition=Ready", "--timeout=60s")
        headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-type": "metrics.test",
                   "ce-source": "/test", "traceparent": PARENT}
        status, _, _ = self.hearth.call("localhost", b"x", "/default/lambda-broker", headers)
        self.assertEqual(status, 202)
        refused = self.hearth.call("localhost", b"x", "/default/lambda-broker")[0]
        self.assertIn(refused, (400, 415))
        self.assertGreaterEqual(self.value("hearth_broker_events_accepted_total",
                                           kn_broker_name="lambda-broker"), 1)
        self.assertGreaterEqual(self.value("hearth_broker_events_refused_total"), 1)
        results = lambda name: self.value("hearth_broker_deliveries_total",
                                          kn_trigger_name="nowhere", result=name)
        daemon.wait_for(lambda: results("dead_lettered") == 1, 60, "the dead letter")
        self.assertEqual(results("retried"), 1)
        self.assertEqual(self.value("kn_eventing_dispatch_duration_seconds_count",
                                    kn_trigger_name="nowhere"), 2)
        self.assertEqual(self.log_lines("dead_lettered")[-1]["trace_id"], TRACE)

    def test_the_object_store_counts_operations_and_bytes(self):
        environment = self.hearth.environment()
        run = lambda *words: subprocess.run([daemon.BINARY, "s3", *words], env=environment,
                                            check=True, capture_output=True, timeout=120)
        sent, received = (self.value("hearth_s3_bytes_total", direction=way)
                          for way in ("sent", "received"))
        run("mb", "s3://counted")
        subprocess.run([daemon.BINARY, "s3", "cp", "-", "s3://counted/a"], input=b"x" * 1000,
                       env=environment, check=True, capture_output=True, timeout=120)
        run("cat", "s3://counted/a")
        self.assertGreaterEqual(self.value("hearth_s3_bytes_total", direction="received"),
                                received + 1000)
        self.assertGreaterEqual(self.value("hearth_s3_bytes_total", direction="sent"), sent + 1000)
        self.assertGreaterEqual(self.value("hearth_s3_request_duration_seconds_count", method="PUT",
                                           http_response_status_code="200"), 2)

    def test_builds_store_loops_and_process(self):
        self.assertGreaterEqual(self.value("hearth_build_duration_seconds_count",
                                           result="succeeded"), 1)
        self.assertGreater(self.value("hearth_store_resource_version"), 0)
        self.assertGreater(self.value("hearth_store_watches"), 0)
        self.assertGreater(self.value("hearth_database_commits_total"), 0)
        self.assertGreater(self.value("process_resident_memory_bytes"), 1024 * 1024)
        self.assertGreater(self.value("process_open_fds"), 3)
        loops = {sample.labels["loop"]
                 for sample in self.families()["hearth_loop_lag_seconds"].samples}
        self.assertEqual(loops, {"control", "objects"})

    def test_every_name_is_documented_and_nothing_else_is(self):
        text = self.hearth.call("localhost", path="/metrics")[2]
        served = set(re.findall(r"(?m)^# TYPE (\S+) ", text))
        documented = set(re.findall(r"(?m)^\| `([a-z0-9_]+)` \|", DOCUMENT.read_text()))
        self.assertEqual(served, documented)

    def test_a_request_is_one_line_with_its_trace(self):
        self.hearth.call("echo.default.localhost", "{}", path="/some/path?secret=1",
                         headers={"traceparent": PARENT})
        lines = lambda: [line for line in self.log_lines("request") if line["path"] == "/some/path"]
        daemon.wait_for(lines, 30, "the line of the request")
        line = lines()[0]
        self.assertEqual((line["trace_id"], line["span_id"]), (TRACE, "00f067aa0ba902b7"))
        self.assertEqual((line["method"], line["host"], line["status"]),
                         ("POST", "echo.default.localhost", 200))
        self.assertEqual((line["server"], line["revision"]), ("gateway", "echo-00001"))
        self.assertGreater(line["bytes"], 0)
        self.assertGreater(line["ms"], 0)
        self.assertIs(line["cold"], False)
        self.assertNotIn("secret", json.dumps(line))

    def test_a_request_without_a_trace_gets_one(self):
        self.hearth.call("echo.default.localhost", "{}", path="/untraced")
        lines = lambda: [line for line in self.log_lines("request") if line["path"] == "/untraced"]
        daemon.wait_for(lines, 30, "the line of the request")
        self.assertRegex(lines()[0]["trace_id"], "^[0-9a-f]{32}$")


class RestartTest(unittest.TestCase):
    def test_a_cold_start_is_counted_with_its_wait(self):
        with daemon.Daemon("--access-log", "--log-format", "json") as hearth:
            hearth.apply(hearth.function("resting", ECHO))
            hearth.wait_ready("resting")
            hearth.stop()
            hearth.start()
            # What was ready before rests at zero after a restart.
            daemon.wait_for(lambda: "resting" in hearth.call("localhost", path="/metrics")[2], 60,
                            "the route")
            _, headers, _ = hearth.call("resting.default.localhost", "{}")
            self.assertEqual(headers["X-Hearth-Cold-Start"], "true")
            text = hearth.call("localhost", path="/metrics")[2]
            samples = {sample.name: sample.value
                       for family in text_string_to_metric_families(text)
                       if family.name == "hearth_cold_start_duration_seconds"
                       for sample in family.samples if not sample.name.endswith("_bucket")}
            self.assertEqual(samples["hearth_cold_start_duration_seconds_count"], 1)
            self.assertGreater(samples["hearth_cold_start_duration_seconds_sum"], 0)
            daemon.wait_for(lambda: '"cold":true' in hearth.output(), 30, "the line of the request")


class ReloadTest(unittest.TestCase):
    def test_sighup_takes_over_what_it_can_and_names_the_rest(self):
        with daemon.Daemon() as hearth:
            hearth.stop()
            config = hearth.folder / "config.yaml"
            config.write_text("logLevel: info\nlogFormat: json\n")
            ready = hearth.folder / "again.json"
            log = hearth.folder / "again.log"
            with open(log, "wb") as output:
                # In a session of its own: SIGHUP means "the terminal is gone" to others.
                process = subprocess.Popen(
                    [daemon.BINARY, "up", "--state", str(hearth.folder / "state"), "--port", "0",
                     "--config", str(config), "--ready-file", str(ready)],
                    stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True)
            try:
                daemon.wait_for(lambda: ready.exists() or process.poll() is not None, 60, "ready")
                self.assertIsNone(process.poll(), log.read_text())
                self.reload(process, config, log, json.loads(ready.read_text()))
            finally:
                process.terminate()
                process.wait(60)

    def reload(self, process, config, log, endpoints):
        wait_log = lambda word: daemon.wait_for(lambda: word in log.read_text(), 60, word)
        config.write_text("logLevel: debug\ndev: true\ns3Credentials: {second: second-secret}\n"
                          "logFormat: json\n")
        process.send_signal(signal.SIGHUP)
        wait_log("config_needs_restart")
        lines = [json.loads(line) for line in log.read_text().splitlines()
                 if line.startswith("{")]
        reloaded = [line for line in lines if line["event"] == "config_reloaded"]
        self.assertEqual(reloaded[0]["changed"], "logLevel,s3Credentials")
        restart = [line for line in lines if line["event"] == "config_needs_restart"]
        self.assertEqual(restart[0]["keys"], "dev")
        done = subprocess.run([daemon.BINARY, "s3", "mb", "s3://reloaded", "--endpoint",
                               endpoints["s3"], "--access-key", "second", "--secret-key",
                               "second-secret"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        # The level debug brings the access log.
        urllib.request.urlopen(endpoints["gateway"] + "/status", timeout=60).read()
        wait_log('"path":"/status"')
        config.write_text("logLevl: info\n")
        process.send_signal(signal.SIGHUP)
        wait_log("config_refused")
        self.assertIsNone(process.poll())


if __name__ == "__main__":
    unittest.main(verbosity=2)
