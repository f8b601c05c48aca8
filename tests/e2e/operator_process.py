"""`hearth operator` as a process of a test, on a daemon that plays its cluster."""

import json
import signal
import subprocess
import urllib.error
import urllib.request

from daemon import BINARY, Daemon, wait_for

# Everything but what the operator does itself.
CLUSTER = ("--controllers", "serving,jobs,eventing")
LAMBDA = "lambda.knative.io/name="


class Cluster(Daemon):
    """A daemon without a function controller."""

    def __init__(self, *flags):
        super().__init__(*CLUSTER, *flags)

    def items(self, kind, function, namespace="default"):
        out = self.kubectl("get", kind, "-n", namespace, "-l", LAMBDA + function, "-o", "json")
        return json.loads(out)["items"]


class Operator:
    def __init__(self, hearth, *flags, kubeconfig=None):
        self.hearth = hearth
        self.kubeconfig = str(kubeconfig or hearth.ready["kubeconfig"])
        self.flags = flags
        self.process = None
        name = "operator-%s" % id(self)
        self.ready_file = hearth.folder / (name + ".json")
        self.log_file = hearth.folder / (name + ".log")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def start(self, synced=True):
        self.ready_file.unlink(missing_ok=True)
        registry = self.hearth.ready["registry"]
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "operator", "--kubeconfig", self.kubeconfig, "--port", "0",
                 "--ready-file", str(self.ready_file), "--log-format", "json",
                 "--push-registry", registry, "--pull-registry", registry,
                 "--s3-endpoint", self.hearth.ready["s3"],
                 "--s3-access-key", self.hearth.ready["s3AccessKey"],
                 "--s3-secret-key", self.hearth.ready["s3SecretKey"],
                 "--broker-url", self.hearth.ready["gateway"] + "/knative-lambda/lambda-broker",
                 *self.flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(lambda: self.ready_file.exists() or self.process.poll() is not None, 60,
                 "the operator to listen")
        if self.process.poll() is not None:
            raise AssertionError("the operator ended: " + self.output())
        self.url = json.loads(self.ready_file.read_text())["url"]
        if synced:
            wait_for(lambda: self.probe("/readyz") == 200, 60, "the operator to know its cluster")

    def probe(self, path):
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def output(self):
        return self.log_file.read_text(errors="replace")
