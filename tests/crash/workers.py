"""The load: each worker asks, writes down what was answered, and ends when the world wants no more,
or with Gone. An answer that the world does not expect goes to `world.refused`."""

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
    """No answer came. That the daemon was killed is for the world to find out."""


def s3_client(ready):
    session = botocore.session.get_session()
    session.set_credentials(ready["s3AccessKey"], ready["s3SecretKey"])
    return session.create_client(
        "s3", endpoint_url=ready["s3"], region_name="us-east-1",
        config=Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=20,
                      s3={"addressing_style": "path"}))


class Http:
    """One connection; Gone when it fails."""

    def __init__(self, url, headers):
        host = url.split("://")[1]
        if url.startswith("https"):
            self.connection = http.client.HTTPSConnection(
                host, timeout=20, context=ssl._create_unverified_context())
        else:
            self.connection = http.client.HTTPConnection(host, timeout=20)
        self.headers = headers

    def __call__(self, method, path, body=None, headers=None):
        try:
            self.connection.request(method, path, body, {**self.headers, **(headers or {})})
            response = self.connection.getresponse()
            return response.status, response.headers, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Gone("%s %s: %r" % (method, path, error)) from error


def objects(world, worker):
    """S3: writes over old keys, deletes, and now and then an upload in parts."""
    client = s3_client(world.ready)
    while world.wants_more():
        name = "w%d/%d" % (worker, random.randrange(40))
        key = "s3 " + name
        try:
            change_object(world.account, client, name, key)
        except ClientError as error:
            world.refused(key, error.response["ResponseMetadata"]["HTTPStatusCode"])
            continue
        except (BotoCoreError, OSError) as error:
            raise Gone("%s: %r" % (key, error)) from error
        world.account.acknowledge(key)


def change_object(account, client, name, key):
    choice = random.random()
    if choice < 0.15:
        account.ask(key, ABSENT)
        client.delete_object(Bucket="crash", Key=name)
        return
    data = content(random.random(), random.choice(SIZES))
    account.ask(key, digest(data))
    if choice < 0.25:
        upload = client.create_multipart_upload(Bucket="crash", Key=name)["UploadId"]
        part = etag(client.upload_part(Bucket="crash", Key=name, UploadId=upload,
                                       PartNumber=1, Body=data))
        client.complete_multipart_upload(
            Bucket="crash", Key=name, UploadId=upload,
            MultipartUpload={"Parts": [{"ETag": part, "PartNumber": 1}]})
        return
    etag(client.put_object(Bucket="crash", Key=name, Body=data))


def etag(answer):
    if "ETag" not in answer:
        # botocore makes a 200 without headers of a connection that ends after "100 Continue", when
        # the answer before came without one.
        raise OSError("no answer")
    return answer["ETag"]


def resources(world, worker):
    """ConfigMaps: created, changed under their version, deleted."""
    call = Http(world.ready["api"], {"Authorization": "Bearer " + world.token,
                                     "Content-Type": "application/json"})
    path = "/api/v1/namespaces/default/configmaps"
    while world.wants_more():
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
        if status in (200, 201):
            world.account.acknowledge(key)
        else:
            world.refused(key, status)


def images(world, worker):
    """The registry: a blob, then a manifest that names it under a tag."""
    call = Http("http://" + world.ready["registry"], {})
    repository = "/v2/crash/w%d" % worker
    while world.wants_more():
        data = content(random.random(), random.choice(SIZES[1:]))
        blob = "sha256:" + digest(data)
        status, headers, _ = call("POST", repository + "/blobs/uploads/")
        if status != 202:
            world.refused("upload", status)
            continue
        location = headers["Location"].split(world.ready["registry"])[-1]
        separator = "&" if "?" in location else "?"
        world.account.ask("blob %d %s" % (worker, blob), blob)
        status, _, _ = call("PUT", location + separator + "digest=" + blob, data,
                            {"Content-Type": "application/octet-stream"})
        if status != 201:
            world.refused("blob", status)
            continue
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
            world.refused(key, status)
            continue
        world.account.acknowledge(key)


def events(world, worker):
    """CloudEvents, each with a number of its own that says what the sink does with it."""
    call = Http(world.ready["gateway"], {"Host": "localhost", "ce-source": "crash", "ce-type": "t",
                                         "ce-specversion": "1.0", "Content-Type": "text/plain"})
    while world.wants_more():
        identifier = "%s-%d-%s" % (
            random.choices(("ok", "later", "never"), (90, 8, 2))[0], worker,
            base64.b32encode(random.randbytes(10)).decode())
        status, _, _ = call("POST", "/default/crash", "x" * 200, {"ce-id": identifier})
        if status == 202:
            world.account.acknowledge_event(identifier)
        else:
            world.refused("event", status)


def replays(world, worker):
    """Gives dead letters another chance; those that are never taken become dead letters again."""
    call = Http(world.ready["gateway"], {"Authorization": "Bearer " + world.token,
                                         "Host": "localhost"})
    while world.wants_more():
        status, _, body = call("GET", "/hearth/v1/deadletters?limit=100")
        letters = json.loads(body)["items"] if status == 200 else []
        for letter in random.sample(letters, min(2, len(letters))):
            status, _, _ = call("POST", "/hearth/v1/deadletters/%s/replay" % letter["id"])
            if status >= 500:
                world.refused("replay", status)
        world.rest()
