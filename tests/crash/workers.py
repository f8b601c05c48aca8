"""The load: each worker asks, writes down what was answered, and ends when the daemon is gone."""

import base64
import http.client
import json
import random
import ssl

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from account import ABSENT, content, digest

SIZES = (0, 10, 4_000, 70_000, 300_000)


class Gone(Exception):
    """The daemon was killed."""


def s3_client(ready):
    session = botocore.session.get_session()
    session.set_credentials(ready["s3AccessKey"], ready["s3SecretKey"])
    return session.create_client(
        "s3", endpoint_url=ready["s3"], region_name="us-east-1",
        config=Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=20,
                      s3={"addressing_style": "path"}))


class Http:
    """One connection; any failure of it means that the daemon is gone."""

    def __init__(self, url, headers):
        host = url.split("://")[1]
        context = ssl._create_unverified_context()
        self.connection = (http.client.HTTPSConnection(host, timeout=20, context=context)
                           if url.startswith("https") else http.client.HTTPConnection(host, timeout=20))
        self.headers = headers

    def __call__(self, method, path, body=None, headers=None):
        try:
            self.connection.request(method, path, body, {**self.headers, **(headers or {})})
            response = self.connection.getresponse()
            return response.status, response.headers, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Gone() from error


def objects(world, worker):
    """S3: writes over old keys, deletes, and now and then an upload in parts."""
    client = s3_client(world.ready)
    try:
        while True:
            name = "w%d/%d" % (worker, random.randrange(40))
            key = "s3 " + name
            choice = random.random()
            if choice < 0.15:
                world.account.ask(key, ABSENT)
                client.delete_object(Bucket="crash", Key=name)
            else:
                data = content(random.random(), random.choice(SIZES))
                world.account.ask(key, digest(data))
                if choice < 0.25:
                    upload = client.create_multipart_upload(Bucket="crash", Key=name)["UploadId"]
                    part = client.upload_part(Bucket="crash", Key=name, UploadId=upload,
                                              PartNumber=1, Body=data)["ETag"]
                    client.complete_multipart_upload(
                        Bucket="crash", Key=name, UploadId=upload,
                        MultipartUpload={"Parts": [{"ETag": part, "PartNumber": 1}]})
                else:
                    answer = client.put_object(Bucket="crash", Key=name, Body=data)
                    if "ETag" not in answer:
                        # botocore makes a 200 without headers of a connection that ends after
                        # "100 Continue", when the answer before came without one.
                        raise OSError("no answer")
            world.account.acknowledge(key)
    except (BotoCoreError, ClientError, OSError):
        return


def resources(world, worker):
    """ConfigMaps: created, changed under their version, deleted."""
    call = Http(world.ready["api"], {"Authorization": "Bearer " + world.token,
                                     "Content-Type": "application/json"})
    path = "/api/v1/namespaces/default/configmaps"
    try:
        while True:
            name = "w%d-%d" % (worker, random.randrange(40))
            key = "resource " + name
            text = digest(content(random.random(), 8))
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
                    "data": {"text": text}}
            known = world.account.keys.get(key)
            if known is None or known.acknowledged == ABSENT:
                world.account.ask(key, text)
                status, _, _ = call("POST", path, json.dumps(body))
            elif random.random() < 0.3:
                world.account.ask(key, ABSENT)
                status, _, _ = call("DELETE", path + "/" + name)
            else:
                world.account.ask(key, text)
                status, _, _ = call("PUT", path + "/" + name, json.dumps(body))
            if status not in (200, 201):
                raise AssertionError("%s answered %d" % (key, status))
            world.account.acknowledge(key)
    except Gone:
        return


def images(world, worker):
    """The registry: a blob, then a manifest that names it under a tag."""
    call = Http("http://" + world.ready["registry"], {})
    repository = "/v2/crash/w%d" % worker
    try:
        while True:
            data = content(random.random(), random.choice(SIZES[1:]))
            blob = "sha256:" + digest(data)
            status, headers, _ = call("POST", repository + "/blobs/uploads/")
            location = headers["Location"].split(world.ready["registry"])[-1]
            separator = "&" if "?" in location else "?"
            world.account.ask("blob %d %s" % (worker, blob), blob)
            status, _, _ = call("PUT", location + separator + "digest=" + blob, data,
                                {"Content-Type": "application/octet-stream"})
            if status != 201:
                raise AssertionError("blob answered %d" % status)
            world.account.acknowledge("blob %d %s" % (worker, blob))
            manifest = json.dumps({
                "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                           "digest": blob, "size": len(data)}, "layers": []})
            tag = "t%d" % random.randrange(5)
            key = "tag %d %s" % (worker, tag)
            world.account.ask(key, digest(manifest.encode()))
            status, _, _ = call("PUT", repository + "/manifests/" + tag, manifest,
                                {"Content-Type": "application/vnd.oci.image.manifest.v1+json"})
            if status != 201:
                raise AssertionError("manifest answered %d" % status)
            world.account.acknowledge(key)
    except Gone:
        return


def events(world, worker):
    """CloudEvents, each with a number of its own that says what the sink does with it."""
    call = Http(world.ready["gateway"], {"Host": "localhost", "ce-source": "crash", "ce-type": "t",
                                         "ce-specversion": "1.0", "Content-Type": "text/plain"})
    try:
        while True:
            identifier = "%s-%d-%s" % (
                random.choices(("ok", "later", "never"), (90, 8, 2))[0], worker,
                base64.b32encode(random.randbytes(10)).decode())
            status, _, _ = call("POST", "/default/crash", "x" * 200, {"ce-id": identifier})
            if status == 202:
                world.account.acknowledge_event(identifier)
    except Gone:
        return
