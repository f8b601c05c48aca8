"""Dockerfiles and packages that try to leave their build or to read the machine: docs/sandbox.md.

What is tried would do no harm if it succeeded: these tests run as root where they can.
"""

import base64
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import unittest
import urllib.request

import yaml

import sandbox_case
from daemon import BINARY, wait_for
from sandbox_test import WITHHOLD_NAMESPACES


def packed(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
    return out.getvalue()


class BuildTest(sandbox_case.LaunchedDaemon):
    def build(self, name, dockerfile, **files):
        """(whether it was built, its log and why not) of a Dockerfile of our own."""
        manifest = self.hearth.function(name, "def handler(event): return 1\n")
        done = subprocess.run(
            [BINARY, "render", "-f", "-", "--push-registry", self.hearth.ready["registry"],
             "--pull-registry", self.hearth.ready["registry"]], input=json.dumps(manifest),
            text=True, capture_output=True, check=True, timeout=60)
        objects = {item["kind"]: item for item in yaml.safe_load_all(done.stdout)}
        context = objects["ConfigMap"]["binaryData"]
        [key] = context
        context[key] = base64.b64encode(packed({"Dockerfile": dockerfile, **files})).decode()
        self.hearth.apply(objects["ConfigMap"], objects["Job"])
        job = objects["Job"]["metadata"]["name"]

        def ended():
            status = (self.hearth.get("job", job) or {}).get("status", {})
            return [item["type"] for item in status.get("conditions", [])
                    if item["type"] in ("Complete", "Failed") and item["status"] == "True"]

        done = wait_for(ended, 120, "the build of " + name) == ["Complete"]
        # Why it failed is said by the job, its Pod or an Event.
        said = [self.hearth.kubectl("get", kind, "-o", "json")
                for kind in ("pods", "jobs", "events")]
        return done, self.hearth.kubectl("logs", "job/" + job) + ("" if done else "".join(said))

    def built(self, name, dockerfile, **files):
        done, log = self.build(name, dockerfile, **files)
        self.assertTrue(done, log)
        return log


class HostileDockerfiles(BuildTest):
    def test_a_file_where_the_jail_mounts_refuses_the_build_and_nothing_runs(self):
        for place in ("/run", "/usr", "/proc"):
            mark = self.hearth.folder / "escaped"
            done, log = self.build("place" + place.strip("/"), "FROM python:3.11\nCOPY x %s\n"
                                   "RUN echo out > %s\n" % (place, mark), x="a file")
            self.assertFalse(done, log)
            self.assertFalse(mark.exists(), log)
            self.assertIn("the image has %s, which is no folder" % place, log)
            self.assertNotIn("without isolation", log)

    def test_a_base_images_working_folder_stays_in_the_build(self):
        mark = self.hearth.folder / "made"
        self.push("hostile/base", {"architecture": "amd64", "os": "linux",
                                   "config": {"WorkingDir": "/" + "../" * 20 + str(mark)[1:]},
                                   "rootfs": {"type": "layers", "diff_ids": []}})
        _, log = self.build("climber", "FROM %s/hostile/base:1\nRUN true\n"
                            % self.hearth.ready["registry"])
        self.assertIn("RUN true", log)
        self.assertFalse(mark.exists(), log)

    def test_a_link_in_a_base_image_leads_into_the_build(self):
        outside = self.hearth.folder / "outside"
        outside.mkdir()
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as archive:
            link = tarfile.TarInfo("app")
            link.type, link.linkname = tarfile.SYMTYPE, str(outside)
            archive.addfile(link)
        self.push("hostile/linked", {"architecture": "amd64", "os": "linux",
                                     "config": {"WorkingDir": "/app/made"}}, layer.getvalue())
        done, log = self.build("linked", "FROM %s/hostile/linked:1\nRUN true\n"
                               % self.hearth.ready["registry"])
        self.assertFalse(done, log)
        self.assertIn("the image has /app, which is no folder", log)
        self.assertEqual(list(outside.iterdir()), [])

    def test_the_kernels_settings_are_read_only(self):
        log = self.built("kernel", "FROM python:3.11\n"
                         "RUN (: >> /proc/sys/kernel/core_pattern) || echo 'ref''used'\n")
        self.assertIn("refused\n", log)

    def push(self, repository, config, *layers):
        config["rootfs"] = {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]}
        blobs = [json.dumps(config).encode(), *(gzip.compress(layer) for layer in layers)]
        kinds = ["application/vnd.oci.image.config.v1+json"] + \
            ["application/vnd.oci.image.layer.v1.tar+gzip"] * len(layers)
        described = [{"mediaType": kind, "digest": digest_of(blob), "size": len(blob)}
                     for kind, blob in zip(kinds, blobs)]
        for blob in blobs:
            self.send("POST", "%s/blobs/uploads/?digest=%s" % (repository, digest_of(blob)), blob,
                      "application/octet-stream")
        kind = "application/vnd.oci.image.manifest.v1+json"
        self.send("PUT", repository + "/manifests/1",
                  json.dumps({"schemaVersion": 2, "mediaType": kind, "config": described[0],
                              "layers": described[1:]}).encode(), kind)

    def send(self, method, path, body, kind):
        registry = self.hearth.ready["registry"].removeprefix("http://")
        request = urllib.request.Request("http://%s/v2/%s" % (registry, path), data=body,
                                         method=method, headers={"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=60) as response:
            self.assertEqual(response.status, 201)


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class HomeTest(BuildTest):
    """A home folder with credentials, and a tool that is found by a link beside other things."""

    @classmethod
    def prepare(cls):
        cls.home = cls.hearth.folder / "home"
        own = cls.home / ".local/node-v20"
        for folder in (own / "bin", own / "include/node", cls.home / ".local/bin",
                       cls.home / ".local/share/hearth"):
            folder.mkdir(parents=True)
        node = own / "bin/node"
        node.write_text("#!/bin/sh\necho %s\n" % node)
        node.chmod(0o755)
        (cls.home / ".local/bin/node").symlink_to(node)
        (cls.home / ".local/share/hearth/token").write_text("word-of-token")
        (cls.home / ".npmrc").write_text("//registry.example/:_authToken=word-of-npmrc\n")
        cls.hearth.variables = {
            "HOME": str(cls.home), "PATH": "%s:%s" % (cls.home / ".local/bin", "/usr/bin:/bin"),
            "PIP_INDEX_URL": "http://127.0.0.1:1/simple",
            "PIP_EXTRA_INDEX_URL": "https://me:word-of-pip@pypi.example/simple"}


SEEN = """FROM python:3.11
RUN echo index: $PIP_INDEX_URL extra: $PIP_EXTRA_INDEX_URL. npmrc: $(cat ~/.npmrc)
"""


class CredentialsOfTheMachine(HomeTest):
    def test_a_tool_in_the_home_folder_is_found_and_its_neighbours_are_not(self):
        log = self.built("neighbour", "FROM node:20\nRUN node\nRUN find %s -type f\n" % self.home)
        node = str(self.home / ".local/node-v20/bin/node")
        self.assertGreaterEqual(log.count(node + "\n"), 2, log)
        self.assertNotIn("share/hearth", log)

    def test_only_addresses_without_credentials_pass(self):
        log = self.built("passed", SEEN)
        self.assertIn("index: http://127.0.0.1:1/simple extra: . npmrc:\n", log)
        for name in ("PIP_EXTRA_INDEX_URL", str(self.home / ".npmrc")):
            self.assertIn(name + " is withheld from RUN", log)

    @unittest.skipUnless(os.access("/etc/shadow", os.R_OK), "the daemon may not read it either")
    def test_what_root_alone_may_read_is_not_there(self):
        log = self.built("shadow", "FROM python:3.11\n"
                         "RUN ls /etc /etc/ssl; test ! -e /etc/shadow && test ! -e /etc/ssh\n")
        self.assertIn("hosts\n", log)
        self.assertNotIn("private\n", log)


class CredentialsWhenToldSo(HomeTest):
    flags = ("--build-host-credentials",)

    def test_they_pass(self):
        log = self.built("told", SEEN)
        self.assertIn("extra: https://me:word-of-pip@pypi.example/simple. npmrc: "
                      "//registry.example/:_authToken=word-of-npmrc\n", log)


class Tools(BuildTest):
    def test_the_machines_tools_are_found(self):
        log = self.built("tools", "FROM python:3.11\nRUN python --version && pip --version\n"
                         "RUN command -v npm && npm --version\nRUN go version\n")
        self.assertIn("go version go", log)


@unittest.skipUnless(os.geteuid() == 0, "withholding namespaces needs root")
class WithoutNamespaces(BuildTest):
    launcher = WITHHOLD_NAMESPACES

    def test_it_is_said_and_the_state_stays_out_of_reach(self):
        log = self.built("bare", "FROM python:3.11\nWORKDIR /app\n"
                         "RUN echo made > made && cat made && cat %s/token || echo 'ref''used'\n"
                         % self.hearth.ready["state"])
        self.assertIn("WARNING: without isolation", log)
        self.assertIn("made\n", log)
        self.assertIn("refused\n", log)
        self.assertIn('"build_isolation_withheld"', self.hearth.output())


del BuildTest, HomeTest

if __name__ == "__main__":
    unittest.main()
