"""A full disk: every door says so in its own way, nothing acknowledged is lost, and when there is
room again the same daemon goes on."""

import json
import os
import ssl
import subprocess
import unittest
import urllib.error
import urllib.request

from daemon import Daemon, wait_for


class SmallDisk(Daemon):
    """A daemon whose folder is a file system of 64 MiB."""

    def __enter__(self):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(self.folder)],
                       check=True)
        return super().__enter__()

    def __exit__(self, *details):
        self.stop()
        subprocess.run(["umount", "-l", str(self.folder)], check=True)
        super().__exit__(*details)

    def fill(self):
        with open(self.folder / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(65536))
            except OSError:
                pass
            try:
                while True:
                    filler.write(bytes(64))
            except OSError:
                pass

    def make_room(self):
        (self.folder / "filler").unlink()


def send(url, body, headers, method="POST"):
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60,
                                    context=ssl._create_unverified_context()) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@unittest.skipUnless(os.geteuid() == 0, "mounting a small file system needs root")
class DiskFullTest(unittest.TestCase):
    def create(self, hearth, name):
        token = (hearth.folder / "state" / "token").read_text().strip()
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
                "data": {"text": "x" * 100_000}}
        return send(hearth.ready["api"] + "/api/v1/namespaces/default/configmaps",
                    json.dumps(body).encode(),
                    {"Authorization": "Bearer " + token, "Content-Type": "application/json"})

    def post_event(self, hearth, identifier):
        return send(hearth.ready["gateway"] + "/knative-lambda/lambda-broker", b"x" * 100_000,
                    {"Host": "localhost", "ce-id": identifier, "ce-source": "s", "ce-type": "t",
                     "ce-specversion": "1.0", "Content-Type": "text/plain"})

    def put_object(self, hearth, key):
        environment = dict(hearth.environment(), AWS_ACCESS_KEY_ID=hearth.ready["s3AccessKey"],
                           AWS_SECRET_ACCESS_KEY=hearth.ready["s3SecretKey"],
                           AWS_DEFAULT_REGION="us-east-1", AWS_MAX_ATTEMPTS="1")
        return subprocess.run(
            ["/usr/bin/aws", "--endpoint-url", hearth.ready["s3"], "s3", "cp", "-",
             "s3://disk/" + key], input=b"x" * 1_000_000, capture_output=True, env=environment,
            timeout=120)

    def test_each_door_says_that_the_disk_is_full_and_opens_again(self):
        with SmallDisk() as hearth:
            subprocess.run(["/usr/bin/aws", "--endpoint-url", hearth.ready["s3"], "s3", "mb",
                            "s3://disk"], check=True, capture_output=True, timeout=120,
                           env=dict(hearth.environment(), AWS_DEFAULT_REGION="us-east-1",
                                    AWS_ACCESS_KEY_ID=hearth.ready["s3AccessKey"],
                                    AWS_SECRET_ACCESS_KEY=hearth.ready["s3SecretKey"]))
            self.assertEqual(self.create(hearth, "before")[0], 201)
            self.assertEqual(self.post_event(hearth, "before")[0], 202)
            self.assertEqual(self.put_object(hearth, "before").returncode, 0)

            hearth.fill()
            status, answer = self.until_full(lambda i: self.create(hearth, "full-%d" % i), 201)
            self.assertEqual(status, 507, answer)
            self.assertEqual(json.loads(answer)["kind"], "Status")
            status, answer = self.until_full(lambda i: self.post_event(hearth, "full-%d" % i), 202)
            self.assertEqual(status, 503, answer)
            refused = self.put_object(hearth, "full")
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn(b"InsufficientStorage", refused.stderr)

            hearth.make_room()
            wait_for(lambda: self.create(hearth, "after")[0] in (201, 409), 30, "room for objects")
            wait_for(lambda: self.post_event(hearth, "after")[0] == 202, 30, "room for events")
            wait_for(lambda: self.put_object(hearth, "after").returncode == 0, 30, "room in S3")
            self.assertIsNotNone(hearth.get("configmap", "before"))
            self.assertIsNone(hearth.process.poll(), "the daemon lives")

    def until_full(self, act, fine):
        """What is written into files that have room already may still succeed."""
        for index in range(200):
            status, answer = act(index)
            if status != fine:
                return status, answer
        raise AssertionError("the disk never was full")


if __name__ == "__main__":
    unittest.main()
