"""A full disk: every door says so in its own way, nothing acknowledged is lost, and when there is
room again the same daemon goes on."""

import ctypes
import hashlib
import http.client
import json
import os
import pathlib
import random
import subprocess
import tempfile
import threading
import unittest
import urllib.parse

from botocore.exceptions import ClientError

from daemon import Daemon, wait_for
from exhaustion_test import api_connection, ask, gateway_connection, s3_client

MIB = 1024 * 1024
BODY_BYTES = 100_000
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000


def setUpModule():
    """Small file systems must be mounted: as root, or in user and mount namespaces of our own."""
    try:
        if os.geteuid() != 0:
            enter_namespaces()
        with tempfile.TemporaryDirectory() as folder:
            mount_small(folder)
            unmount(folder)
    except (OSError, subprocess.SubprocessError) as error:
        raise unittest.SkipTest("mounting needs root or user namespaces: %s" % error)


def enter_namespaces():
    """As `unshare -Umr`, for this process and those that it starts."""
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare: " + os.strerror(ctypes.get_errno()))
    for name, text in (("setgroups", "deny"), ("uid_map", "0 %d 1" % user),
                       ("gid_map", "0 %d 1" % group)):
        pathlib.Path("/proc/self", name).write_text(text)


def mount_small(folder):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], check=True)


def unmount(folder):
    subprocess.run(["umount", "-l", str(folder)], check=True)


class SmallDisk(Daemon):
    """A daemon whose folder is a file system of 64 MiB."""

    def __enter__(self):
        mount_small(self.folder)
        return super().__enter__()

    def __exit__(self, *details):
        self.stop()
        unmount(self.folder)
        super().__exit__(*details)

    def fill(self, leave=0):
        """All but the last `leave` bytes; down to the last one without."""
        def free():
            found = os.statvfs(self.folder)
            return found.f_bavail * found.f_frsize
        with open(self.folder / "filler", "ab", buffering=0) as filler:
            for piece in (65536, 64):
                try:
                    while free() > leave + piece or not leave:
                        filler.write(bytes(piece))
                except OSError:
                    pass

    def make_room(self):
        (self.folder / "filler").unlink()


class Door:
    """One way in: what it was given, what of it was acknowledged, and how it refused the rest."""

    def __init__(self, hearth):
        self.hearth = hearth
        self.kept = {}
        self.refusals = []

    def put(self, name):
        """Whether it was acknowledged; either way it is on the account."""
        refusal = self.send(name, random.randbytes(BODY_BYTES // 2).hex().encode())
        if refusal is not None:
            self.refusals.append(refusal)
        return refusal is None

    def put_until_refused(self, prefix):
        for number in range(1000):
            if not self.put("%s-%d" % (prefix, number)):
                return
        raise AssertionError("%s never noticed the full disk" % type(self).__name__)

    def lost(self):
        """Names of what was acknowledged and is not there, or is not the same."""
        return [name for name, body in self.kept.items() if self.read(name) != body]

    def authorization(self):
        token = (self.hearth.folder / "state" / "token").read_text().strip()
        return {"Authorization": "Bearer " + token}


class Objects(Door):
    PATH = "/api/v1/namespaces/default/configmaps"

    def send(self, name, body):
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
                    "data": {"text": body.decode()}}
        status, answer = ask(api_connection(self.hearth), "POST", self.PATH, json.dumps(manifest),
                             {**self.authorization(), "Content-Type": "application/json"})
        if status != 201:
            return status, json.loads(answer)["kind"]
        self.kept[name] = body
        return None

    def read(self, name):
        status, answer = ask(api_connection(self.hearth), "GET", self.PATH + "/" + name, None,
                             self.authorization())
        return json.loads(answer)["data"]["text"].encode() if status == 200 else None


class Events(Door):
    def send(self, name, body):
        status, answer = ask(
            gateway_connection(self.hearth), "POST", "/knative-lambda/lambda-broker", body,
            {"Host": "localhost", "ce-id": name, "ce-source": "s", "ce-type": "t",
             "ce-specversion": "1.0", "Content-Type": "text/plain"})
        if status != 202:
            return status, json.loads(answer)["title"]
        self.kept[name] = body
        return None

    def read(self, name):
        status, answer = ask(gateway_connection(self.hearth), "GET", "/hearth/v1/events/" + name,
                             None, {**self.authorization(), "Host": "localhost"})
        return json.loads(answer)["data"].encode() if status == 200 else None


class Bucket(Door):
    def create(self):
        s3_client(self.hearth).create_bucket(Bucket="disk")

    def send(self, name, body):
        try:
            s3_client(self.hearth).put_object(Bucket="disk", Key=name, Body=body)
        except ClientError as error:
            return (error.response["ResponseMetadata"]["HTTPStatusCode"],
                    error.response["Error"]["Code"])
        self.kept[name] = body
        return None

    def read(self, name):
        try:
            return s3_client(self.hearth).get_object(Bucket="disk", Key=name)["Body"].read()
        except ClientError:
            return None


class Images(Door):
    """A blob, and a manifest that tags it: two acknowledgements a name."""

    TYPE = "application/vnd.oci.image.manifest.v1+json"

    def send(self, name, body):
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        status, answer = self.ask(
            "POST", "/v2/disk/blobs/uploads/?digest=" + urllib.parse.quote(digest), body,
            {"Content-Type": "application/octet-stream"})
        if status != 201:
            return status, json.loads(answer)["errors"][0]["code"]
        self.kept["blobs/" + digest] = body
        blob = {"mediaType": "application/octet-stream", "digest": digest, "size": len(body)}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": self.TYPE, "config": blob,
                               "layers": [blob]}).encode()
        status, answer = self.ask("PUT", "/v2/disk/manifests/" + name, manifest,
                                  {"Content-Type": self.TYPE})
        if status != 201:
            return status, json.loads(answer)["errors"][0]["code"]
        self.kept["manifests/" + name] = manifest
        return None

    def read(self, name):
        status, content = self.ask("GET", "/v2/disk/" + name, None, {"Accept": self.TYPE})
        return content if status == 200 else None

    def ask(self, *request):
        return ask(http.client.HTTPConnection(self.hearth.ready["registry"], timeout=60), *request)


class DiskFullTest(unittest.TestCase):
    REFUSALS = {Objects: (507, "Status"), Events: (503, "Service Unavailable"),
                Bucket: (507, "InsufficientStorage"), Images: (503, "UNAVAILABLE")}

    def test_each_door_says_that_the_disk_is_full_keeps_what_it_took_and_opens_again(self):
        with SmallDisk() as hearth:
            doors = [kind(hearth) for kind in self.REFUSALS]
            doors[2].create()
            for door in doors:
                self.assertTrue(door.put("before"), (type(door), door.refusals))

            hearth.fill(leave=4 * MIB)
            self.all_at_once(doors, "edge")  # the room ends in the middle of something
            hearth.fill()
            for door in doors:  # what is written into files that have room may still succeed
                door.put_until_refused("full")
            for door in doors:
                with self.subTest(door=type(door).__name__):
                    self.assertEqual(set(door.refusals), {self.REFUSALS[type(door)]})
            self.assertGreater(sum(len(door.kept) for door in doors), 20, "some got in")

            hearth.make_room()
            for door in doors:
                wait_for(lambda: door.put("after"), 30, "room for " + type(door).__name__)
            self.assertIsNone(hearth.process.poll(), "the daemon lives")
            self.assert_nothing_is_lost(doors)
            hearth.kill()
            hearth.start()  # what was there may have been in its memory only
            self.assert_nothing_is_lost(doors)

    def all_at_once(self, doors, prefix):
        failures = []

        def run(door):
            try:
                door.put_until_refused(prefix)
            except Exception as error:
                failures.append(error)
        threads = [threading.Thread(target=run, args=(door,)) for door in doors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        self.assertEqual(failures, [])

    def assert_nothing_is_lost(self, doors):
        for door in doors:
            with self.subTest(door=type(door).__name__, acknowledged=len(door.kept)):
                self.assertEqual(door.lost(), [])


if __name__ == "__main__":
    unittest.main()
