"""Real clients against the registry of a running daemon: skopeo and buildah.

    HEARTH_REGISTRY=127.0.0.1:5001 python3 tests/e2e/registry_test.py

Needs `apt-get install skopeo buildah`; what is absent fails its tests (foreign.py).
"""

import gzip
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import tempfile
import unittest
import uuid
from pathlib import Path

from foreign import need

REGISTRY = os.environ["HEARTH_REGISTRY"]  # host:port of a running daemon
ENVIRONMENT = dict(os.environ, BUILDAH_ISOLATION="chroot", STORAGE_DRIVER="vfs")
TIMEOUT_SECONDS = 120


def run(*command):
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True,
                          timeout=TIMEOUT_SECONDS)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def request(method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(REGISTRY, timeout=30)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def write_oci_layout(folder):
    """A one-layer image as an OCI layout; returns the manifest's digest."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    tar_file = folder / "layer.tar"
    (folder / "hello.txt").write_text("hello " * 10_000)
    subprocess.run(["tar", "-C", folder, "-cf", tar_file, "hello.txt"], check=True)

    def put(data, media_type):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}

    # Compressed already: skopeo would compress it on the way and so change the manifest.
    layer = put(gzip.compress(tar_file.read_bytes(), mtime=0),
                "application/vnd.oci.image.layer.v1.tar+gzip")
    diff_id = "sha256:" + hashlib.sha256(tar_file.read_bytes()).hexdigest()
    config = put(json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/hello"]},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    }).encode(), "application/vnd.oci.image.config.v1+json")
    manifest = put(json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config, "layers": [layer],
    }).encode(), "application/vnd.oci.image.manifest.v1+json")
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "v1"}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    return manifest["digest"]


class RegistryTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="hearth-registry-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.repository = f"e2e/{uuid.uuid4().hex[:8]}"
        self.image = f"docker://{REGISTRY}/{self.repository}"

    def need(self, tool):
        need(shutil.which(tool), f"{tool} is not installed (apt-get install {tool})")

    def push(self, tag="v1"):
        layout = self.folder / f"layout-{tag}"
        layout.mkdir()
        digest = write_oci_layout(layout)
        run("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", f"oci:{layout}:v1",
            f"{self.image}:{tag}")
        return digest

    def test_speaks_version_2(self):
        status, headers, _ = request("GET", "/v2/")
        self.assertEqual(status, 200)
        self.assertEqual(headers["Docker-Distribution-Api-Version"], "registry/2.0")

    def test_skopeo_copies_both_ways(self):
        self.need("skopeo")
        digest = self.push()
        inspected = json.loads(run("skopeo", "inspect", "--tls-verify=false", f"{self.image}:v1"))
        self.assertEqual(inspected["Digest"], digest)
        back = self.folder / "dir"
        run("skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", f"{self.image}:v1",
            f"dir:{back}")
        manifest = (back / "manifest.json").read_bytes()
        self.assertEqual("sha256:" + hashlib.sha256(manifest).hexdigest(), digest)
        oci = self.folder / "oci"
        run("skopeo", "--insecure-policy", "copy", "--src-tls-verify=false",
            f"{self.image}@{digest}", f"oci:{oci}:v1")
        self.assertTrue((oci / "blobs/sha256" / digest.split(":")[1]).exists())

    def test_skopeo_copies_within_the_registry_and_to_docker_format(self):
        self.need("skopeo")
        self.push()
        run("skopeo", "--insecure-policy", "copy", "--src-tls-verify=false",
            "--dest-tls-verify=false", f"{self.image}:v1", f"{self.image}-copy:v1")
        run("skopeo", "--insecure-policy", "copy", "--format=v2s2", "--src-tls-verify=false",
            "--dest-tls-verify=false", f"{self.image}:v1", f"{self.image}:docker")
        raw = run("skopeo", "inspect", "--raw", "--tls-verify=false", f"{self.image}:docker")
        self.assertEqual(json.loads(raw)["mediaType"],
                         "application/vnd.docker.distribution.manifest.v2+json")

    def test_skopeo_lists_and_deletes(self):
        self.need("skopeo")
        self.push("b")
        self.push("a")
        listed = json.loads(run("skopeo", "list-tags", "--tls-verify=false", self.image))
        self.assertEqual(listed["Tags"], ["a", "b"])
        run("skopeo", "delete", "--tls-verify=false", f"{self.image}:a")
        status, _, body = request("GET", f"/v2/{self.repository}/manifests/a")
        self.assertEqual(status, 404)
        self.assertEqual(json.loads(body)["errors"][0]["code"], "MANIFEST_UNKNOWN")

    def test_buildah_builds_pushes_and_pulls(self):
        self.need("buildah")
        (self.folder / "Dockerfile").write_text("FROM scratch\nCOPY file /file\nCMD [\"/file\"]\n")
        (self.folder / "file").write_text("from buildah\n")
        name = f"{REGISTRY}/{self.repository}:built"
        storage = ["--root", str(self.folder / "root"), "--runroot", str(self.folder / "runroot")]
        run("buildah", *storage, "bud", "-t", name, str(self.folder))
        run("buildah", *storage, "push", "--tls-verify=false", name)
        run("buildah", *storage, "rmi", name)
        run("buildah", *storage, "pull", "--tls-verify=false", name)
        inspected = json.loads(run("buildah", *storage, "inspect", "--type", "image", name))
        self.assertEqual(inspected["OCIv1"]["config"]["Cmd"], ["/file"])


if __name__ == "__main__":
    unittest.main()
