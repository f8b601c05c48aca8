"""Real S3 clients against a running daemon.

HEARTH_S3_ENDPOINT, HEARTH_S3_ACCESS and HEARTH_S3_SECRET name the daemon (run.py sets them).
awscli, s3cmd, rclone (Debian packages) and aws-sdk-js v3 (npm) are driven; one that is absent fails
its tests (foreign.py). Set HEARTH_S3_NODE_MODULES to a folder that holds the npm packages already,
or they are installed into a temporary one.
"""

import base64
import datetime
import filecmp
import hashlib
import hmac
import http.client
import json
import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
import unittest
import urllib.parse

from daemon import BINARY, Daemon
from exhaustion_test import peak_resident_bytes
from foreign import need

ENDPOINT = os.environ["HEARTH_S3_ENDPOINT"]
ACCESS = os.environ.get("HEARTH_S3_ACCESS", "hearth")
SECRET = os.environ.get("HEARTH_S3_SECRET", "hearth-secret")
REGION = "us-east-1"
MIB = 1024 * 1024
NPM_PACKAGES = ["@aws-sdk/client-s3", "@aws-sdk/lib-storage", "@aws-sdk/s3-request-presigner"]
# What the daemon may grow by while 1 GiB goes in and out.
GIB_MEMORY_MAX = 32 * MIB
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


def find_client(*names):
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    return None


def client_env():
    """The environment of the clients, free of what the machine sets for other purposes."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    kept.update(AWS_ACCESS_KEY_ID=ACCESS, AWS_SECRET_ACCESS_KEY=SECRET, AWS_DEFAULT_REGION=REGION,
                AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE=os.devnull,
                AWS_SHARED_CREDENTIALS_FILE=os.devnull, RCLONE_CONFIG=os.devnull)
    return kept


def run(*command, ok=True, env=None):
    done = subprocess.run(command, capture_output=True, text=True, env=env or client_env(),
                          timeout=300)
    if ok and done.returncode != 0:
        raise AssertionError(f"{command} failed: {done.stdout}{done.stderr}")
    return done


class Signed:
    """Raw requests, signed here, for what no client would send."""

    def __init__(self, access=ACCESS, secret=SECRET):
        self.access, self.secret = access, secret
        url = urllib.parse.urlsplit(ENDPOINT)
        self.host, self.port = url.hostname, url.port

    def headers(self, method, path, query, headers, payload_hash, when):
        stamp = when.strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
        signed = {k.lower(): v.strip() for k, v in headers.items()}
        signed.update({"host": f"{self.host}:{self.port}", "x-amz-date": stamp,
                       "x-amz-content-sha256": payload_hash})
        names = sorted(signed)
        pairs = sorted((urllib.parse.quote(k, safe="-_.~"), urllib.parse.quote(v, safe="-_.~"))
                       for k, v in query)
        canonical = "\n".join([
            method, urllib.parse.quote(path, safe="/-_.~"), "&".join("=".join(p) for p in pairs),
            "".join(f"{n}:{signed[n]}\n" for n in names), ";".join(names), payload_hash])
        to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope,
                             hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret).encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
        signed["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.access}/{scope},"
                                   f"SignedHeaders={';'.join(names)},Signature={signature}")
        return signed, "&".join("=".join(p) for p in pairs)

    def request(self, method, path, body=b"", query=(), headers=None, payload_hash=None, when=None):
        payload_hash = payload_hash or hashlib.sha256(body).hexdigest()
        when = when or datetime.datetime.utcnow()
        signed, text = self.headers(method, path, list(query), headers or {}, payload_hash, when)
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        target = urllib.parse.quote(path, safe="/-_.~") + ("?" + text if text else "")
        connection.request(method, target, body=body, headers=signed)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, data.decode(
            "utf-8", "replace")


class S3Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="hearth-s3-")
        cls.raw = Signed()
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)

    def setUp(self):
        self.bucket = "e2e-" + os.urandom(5).hex()
        status, _, body = self.raw.request("PUT", "/" + self.bucket)
        self.assertEqual(status, 200, body)

    def send(self, method, target, body=None, headers=None):
        """As it is: no signing. Status, headers, bytes."""
        connection = http.client.HTTPConnection(self.raw.host, self.raw.port, timeout=30)
        connection.request(method, target, body=body, headers=headers or {})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, answer.headers, data

    def file(self, name, size):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as out:
            out.write(random.Random(name).randbytes(size))
        return path

    def path(self, name):
        return os.path.join(self.folder, name)

    def assert_same(self, a, b):
        self.assertTrue(filecmp.cmp(a, b, shallow=False), f"{a} and {b} differ")


class Protocol(S3Case):
    def code(self, body):
        return body.split("<Code>")[1].split("</Code>")[0] if "<Code>" in body else ""

    def test_errors_are_the_ones_of_s3(self):
        status, headers, body = self.raw.request("GET", f"/{self.bucket}/missing")
        self.assertEqual((status, self.code(body)), (404, "NoSuchKey"))
        self.assertIn("<Key>missing</Key>", body)
        self.assertIn(f"<RequestId>{headers['x-amz-request-id']}</RequestId>", body)
        status, _, body = self.raw.request("GET", "/no-such-bucket-here/k")
        self.assertEqual((status, self.code(body)), (404, "NoSuchBucket"))
        status, _, body = self.raw.request("PUT", "/" + self.bucket)
        self.assertEqual((status, self.code(body)), (409, "BucketAlreadyOwnedByYou"))
        status, _, body = self.raw.request("PUT", f"/{self.bucket}", query=[("cors", "")])
        self.assertEqual((status, self.code(body)), (501, "NotImplemented"))
        self.assertIn("PutBucketCors", body)

    def test_wrong_secret_unknown_key_and_anonymous(self):
        status, _, body = Signed(secret="wrong").request("GET", "/" + self.bucket)
        self.assertEqual((status, self.code(body)), (403, "SignatureDoesNotMatch"))
        status, _, body = Signed(access="nobody").request("GET", "/" + self.bucket)
        self.assertEqual((status, self.code(body)), (403, "InvalidAccessKeyId"))
        self.assertEqual(self.send("GET", "/" + self.bucket)[0], 403)

    def test_clock_skew(self):
        late = datetime.datetime.utcnow() - datetime.timedelta(minutes=20)
        status, _, body = self.raw.request("GET", "/" + self.bucket, when=late)
        self.assertEqual((status, self.code(body)), (403, "RequestTimeTooSkewed"))

    def test_digests_are_checked(self):
        key = f"/{self.bucket}/k"
        for size in (10, MIB):
            data = b"x" * size
            wrong_md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
            status, _, body = self.raw.request("PUT", key, data, headers={"Content-MD5": wrong_md5})
            self.assertEqual((status, self.code(body)), (400, "BadDigest"))
            status, _, body = self.raw.request("PUT", key, data, headers={"Content-MD5": "!"})
            self.assertEqual((status, self.code(body)), (400, "InvalidDigest"))
            status, _, body = self.raw.request("PUT", key, data,
                                               headers={"x-amz-checksum-crc32": "AAAAAA=="})
            self.assertEqual((status, self.code(body)), (400, "BadDigest"))
            status, _, body = self.raw.request("PUT", key, data, payload_hash=EMPTY_SHA256)
            self.assertEqual((status, self.code(body)), (400, "XAmzContentSHA256Mismatch"))
        self.assertEqual(self.raw.request("GET", key)[0], 404)

    def test_a_refused_large_upload_is_answered(self):
        status, _, body = self.raw.request("PUT", "/no-such-bucket-here/k", b"x" * (8 * MIB))
        self.assertEqual((status, self.code(body)), (404, "NoSuchBucket"))

    def test_a_torn_upload_leaves_nothing(self):
        for size in (1000, MIB):
            signed, _ = self.raw.headers("PUT", f"/{self.bucket}/torn", [], {}, "UNSIGNED-PAYLOAD",
                                         datetime.datetime.utcnow())
            with socket.create_connection((self.raw.host, self.raw.port)) as connection:
                head = f"PUT /{self.bucket}/torn HTTP/1.1\r\nContent-Length: {size}\r\n"
                head += "".join(f"{k}: {v}\r\n" for k, v in signed.items()) + "\r\n"
                connection.sendall(head.encode() + b"x" * (size // 2))
                connection.shutdown(socket.SHUT_WR)
                self.assertIn(b"IncompleteBody", connection.recv(65536))
            self.assertEqual(self.raw.request("GET", f"/{self.bucket}/torn")[0], 404)

    def test_conditional_writes_and_reads(self):
        key = f"/{self.bucket}/once"
        status, headers, _ = self.raw.request("PUT", key, b"1", headers={"If-None-Match": "*"})
        self.assertEqual(status, 200)
        etag = headers["etag"]
        status, _, body = self.raw.request("PUT", key, b"2", headers={"If-None-Match": "*"})
        self.assertEqual((status, self.code(body)), (412, "PreconditionFailed"))
        self.assertEqual(self.raw.request("PUT", key, b"3", headers={"If-Match": '"no"'})[0], 412)
        self.assertEqual(self.raw.request("PUT", key, b"4", headers={"If-Match": etag})[0], 200)
        self.assertEqual(self.raw.request("PUT", key + "x", b"", headers={"If-Match": etag})[0],
                         404)
        _, headers, _ = self.raw.request("GET", key)
        self.assertEqual(
            self.raw.request("GET", key, headers={"If-None-Match": headers["etag"]})[0], 304)
        self.assertEqual(self.raw.request("GET", key, headers={"If-Match": etag})[0], 412)
        date = headers["last-modified"]
        self.assertEqual(self.raw.request("GET", key, headers={"If-Modified-Since": date})[0], 304)
        self.assertEqual(
            self.raw.request("GET", key, headers={"If-Unmodified-Since": date})[0], 200)

    def test_ranges(self):
        for size in (1000, 300_000):
            key = f"/{self.bucket}/r{size}"
            data = random.Random(size).randbytes(size).hex()[:size]
            self.raw.request("PUT", key, data.encode())
            for text, part in (("bytes=0-9", data[:10]), ("bytes=-5", data[-5:]),
                               (f"bytes={size - 3}-", data[-3:]),
                               (f"bytes=5-{size * 2}", data[5:])):
                status, headers, body = self.raw.request("GET", key, headers={"Range": text})
                self.assertEqual((status, body), (206, part), text)
                self.assertTrue(headers["content-range"].endswith(f"/{size}"))
            status, _, body = self.raw.request("GET", key, headers={"Range": f"bytes={size}-"})
            self.assertEqual((status, self.code(body)), (416, "InvalidRange"))
            status, _, body = self.raw.request("GET", key, headers={"Range": "bytes=a-b"})
            self.assertEqual((status, len(body)), (200, size))

    def test_strange_keys(self):
        for key in ("a//b", "../up", ".", "ä ☃/+%=&?#", "x" * 1024, "tail/", " "):
            path = f"/{self.bucket}/{key}"
            self.assertEqual(self.raw.request("PUT", path, key.encode())[0], 200, key)
            self.assertEqual(self.raw.request("GET", path)[2], key)
        status, _, body = self.raw.request("PUT", f"/{self.bucket}/" + "x" * 1025)
        self.assertEqual((status, self.code(body)), (400, "KeyTooLongError"))
        _, _, body = self.raw.request("GET", f"/{self.bucket}",
                                      query=[("list-type", "2"), ("encoding-type", "url")])
        self.assertIn("<Key>%C3%A4%20%E2%98%83/%2B%25%3D%26%3F%23</Key>", body)

    def test_listing_pages_and_delimiters(self):
        for name in ("a/1", "a/2", "b", "c/1", "c/d/2", "e"):
            self.raw.request("PUT", f"/{self.bucket}/{name}", b"")
        seen, query = [], [("list-type", "2"), ("delimiter", "/"), ("max-keys", "1")]
        token = None
        for _ in range(10):
            more = query + ([("continuation-token", token)] if token else [])
            _, _, body = self.raw.request("GET", f"/{self.bucket}", query=more)
            names = body.replace("<Key>", "<Prefix>").split("<Prefix>")[2:]
            seen += [name.split("<")[0] for name in names]
            if "<IsTruncated>false" in body:
                break
            token = body.split("<NextContinuationToken>")[1].split("<")[0]
        self.assertEqual(seen, ["a/", "b", "c/", "e"])

    def test_virtual_host_style(self):
        self.raw.request("PUT", f"/{self.bucket}/v", b"virtual")
        virtual = Signed()
        virtual.host = f"{self.bucket}.s3.localhost"
        signed, _ = virtual.headers("GET", "/v", [], {}, EMPTY_SHA256, datetime.datetime.utcnow())
        self.assertEqual(self.send("GET", "/v", headers=signed)[2], b"virtual")

    def test_signed_chunks(self):
        """STREAMING-AWS4-HMAC-SHA256-PAYLOAD, which minio-go and old SDKs send."""
        data = random.Random(1).randbytes(200_000)
        when = datetime.datetime.utcnow()
        stamp = when.strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
        signed, _ = self.raw.headers(
            "PUT", f"/{self.bucket}/chunks", [],
            {"x-amz-decoded-content-length": str(len(data)),
             "Content-Encoding": "aws-chunked,gzip"},
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", when)
        key = ("AWS4" + SECRET).encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        previous = signed["Authorization"].split("Signature=")[1]
        body = b""
        for start in list(range(0, len(data), 65536)) + [len(data)]:
            piece = data[start:start + 65536]
            to_sign = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", stamp, scope, previous, EMPTY_SHA256,
                                 hashlib.sha256(piece).hexdigest()])
            previous = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
            body += b"%x;chunk-signature=%s\r\n%s\r\n" % (len(piece), previous.encode(), piece)
        for bad in (False, True):
            sent = body.replace(data[-50:], b"y" * 50) if bad else body
            status, _, _ = self.send("PUT", f"/{self.bucket}/chunks", sent, signed)
            self.assertEqual(status, 403 if bad else 200)
        signed, _ = self.raw.headers("GET", f"/{self.bucket}/chunks", [], {}, EMPTY_SHA256,
                                     datetime.datetime.utcnow())
        _, headers, got = self.send("GET", f"/{self.bucket}/chunks", headers=signed)
        self.assertEqual(headers["Content-Encoding"], "gzip")
        self.assertEqual(got, data)

    def test_tagging(self):
        key = f"/{self.bucket}/t"
        self.raw.request("PUT", key, b"", headers={"x-amz-tagging": "a=1&b=x%20y"})
        _, headers, _ = self.raw.request("GET", key)
        self.assertEqual(headers["x-amz-tagging-count"], "2")
        _, _, body = self.raw.request("GET", key, query=[("tagging", "")])
        self.assertIn("<Key>b</Key><Value>x y</Value>", body)
        self.assertEqual(self.raw.request("DELETE", key, query=[("tagging", "")])[0], 204)
        status, _, body = self.raw.request("GET", f"/{self.bucket}", query=[("tagging", "")])
        self.assertEqual((status, self.code(body)), (404, "NoSuchTagSet"))


class AwsCli(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # The system's: a shim of the same name may lead to a broken environment.
        found = "/usr/bin/aws" if os.path.exists("/usr/bin/aws") else find_client("aws")
        cls.client = need(found, "awscli is absent: apt-get install awscli")

    def aws(self, *arguments, ok=True, env=None):
        return run(self.client, "--endpoint-url", ENDPOINT, *arguments, ok=ok, env=env)

    def test_make_copy_sync_list_remove(self):
        url = f"s3://{self.bucket}-made"
        self.aws("s3", "mb", url)
        os.makedirs(self.path("tree/sub"), exist_ok=True)
        small, other = self.file("tree/small", 100), self.file("tree/sub/other file", 70_000)
        self.aws("s3", "sync", self.path("tree"), url + "/tree")
        listed = self.aws("s3", "ls", "--recursive", url).stdout
        self.assertIn("tree/small", listed)
        self.assertIn("tree/sub/other file", listed)
        self.assertEqual(self.aws("s3", "sync", self.path("tree"), url + "/tree").stdout, "")
        self.aws("s3", "sync", url + "/tree", self.path("back"))
        self.assert_same(small, self.path("back/small"))
        self.assert_same(other, self.path("back/sub/other file"))
        self.aws("s3", "cp", url + "/tree/small", url + "/copy")
        self.aws("s3", "mv", url + "/copy", url + "/moved")
        self.assertNotEqual(self.aws("s3", "rb", url, ok=False).returncode, 0)
        self.aws("s3", "rm", "--recursive", url)
        self.assertEqual(self.aws("s3", "ls", url).stdout, "")
        self.aws("s3", "rb", url)

    def test_multipart_64_mib_and_ranged_download(self):
        path, url = self.file("big", 64 * MIB), f"s3://{self.bucket}/big"
        self.aws("s3", "cp", path, url)
        head = json.loads(self.aws("s3api", "head-object", "--bucket", self.bucket, "--key",
                                   "big").stdout)
        self.assertTrue(head["ETag"].endswith('-8"'), head)
        self.assertEqual(head["ContentLength"], 64 * MIB)
        self.aws("s3", "cp", url, self.path("big.back"))
        self.assert_same(path, self.path("big.back"))
        self.aws("s3", "cp", url, url + ".copy")
        self.aws("s3", "cp", url + ".copy", self.path("big.back"))
        self.assert_same(path, self.path("big.back"))

    @unittest.skipIf("/asan/" in BINARY or "/tsan/" in BINARY, "a sanitizer keeps memory, too")
    def test_1_gib_goes_through_in_parts_and_is_not_held_in_memory(self):
        # The parts, the whole that they become, and what is read back is only counted.
        if shutil.disk_usage(self.folder).free < 4 * 1024 * MIB:
            self.skipTest("needs 4 GiB of free space below " + self.folder)
        with Daemon() as hearth:  # its peak is of this upload alone
            digest = self.upload_noise(hearth, 1024 * MIB)
            self.assertEqual(self.download_digest(hearth), digest)
            self.assertLess(peak_resident_bytes(hearth.process) - self.peak_before,
                            GIB_MEMORY_MAX)

    def upload_noise(self, hearth, size):
        """Through awscli's standard input, in parts; the digest of what was sent."""
        self.stream_client(hearth, "s3", "mb", "s3://gib").communicate()
        self.peak_before = peak_resident_bytes(hearth.process)
        piece, digest = random.Random(1).randbytes(16 * MIB), hashlib.sha256()
        client = self.stream_client(hearth, "s3", "cp", "-", "s3://gib/noise",
                                    "--expected-size", str(size))
        for number in range(size // len(piece)):
            part = number.to_bytes(8, "big") + piece[8:]  # no two parts are the same
            digest.update(part)
            client.stdin.write(part)
        self.assertEqual(client.communicate()[0], b"")
        self.assertEqual(client.returncode, 0)
        head = json.loads(self.stream_client(
            hearth, "s3api", "head-object", "--bucket", "gib", "--key", "noise").communicate()[0])
        self.assertEqual(head["ContentLength"], size)
        self.assertRegex(head["ETag"], "-[0-9]+")
        return digest.hexdigest()

    def download_digest(self, hearth):
        client = self.stream_client(hearth, "s3", "cp", "s3://gib/noise", "-")
        digest = hashlib.sha256()
        while piece := client.stdout.read(MIB):
            digest.update(piece)
        client.communicate()
        self.assertEqual(client.returncode, 0)
        return digest.hexdigest()

    def stream_client(self, hearth, *arguments):
        environment = client_env() | {"AWS_ACCESS_KEY_ID": hearth.ready["s3AccessKey"],
                                      "AWS_SECRET_ACCESS_KEY": hearth.ready["s3SecretKey"]}
        client = subprocess.Popen(
            [self.client, "--endpoint-url", hearth.ready["s3"], *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)

        def end():
            client.kill()
            client.communicate()
        self.addCleanup(end)
        return client

    def test_metadata_checksums_and_presigned_url(self):
        path = self.file("meta", 5000)
        self.aws("s3api", "put-object", "--bucket", self.bucket, "--key", "m", "--body", path,
                 "--content-type", "text/x-test", "--cache-control", "no-store",
                 "--metadata", "color=blue,number=7", "--checksum-algorithm", "SHA256")
        head = json.loads(self.aws("s3api", "head-object", "--bucket", self.bucket, "--key", "m",
                                   "--checksum-mode", "ENABLED").stdout)
        self.assertEqual(head["Metadata"], {"color": "blue", "number": "7"})
        self.assertEqual(head["ContentType"], "text/x-test")
        self.assertEqual(head["CacheControl"], "no-store")
        with open(path, "rb") as data:
            digest = base64.b64encode(hashlib.sha256(data.read()).digest()).decode()
        self.assertEqual(head["ChecksumSHA256"], digest)
        url = self.aws("s3", "presign", f"s3://{self.bucket}/m").stdout.strip()
        parts = urllib.parse.urlsplit(url)
        target = f"{parts.path}?{parts.query}"
        self.assertEqual(hashlib.sha256(self.send("GET", target)[2]).digest(),
                         base64.b64decode(digest))
        self.assertEqual(self.send("GET", target[:-1])[0], 403)

    def test_wrong_secret_is_told(self):
        env = client_env() | {"AWS_SECRET_ACCESS_KEY": "wrong"}
        done = self.aws("s3", "ls", ok=False, env=env)
        self.assertIn("SignatureDoesNotMatch", done.stderr)

    def test_delete_objects_and_uploads(self):
        for name in ("x", "y", "z & <w>"):
            self.raw.request("PUT", f"/{self.bucket}/{name}", b"1")
        doc = json.dumps({"Objects": [{"Key": k} for k in ("x", "z & <w>", "never")]})
        deleted = json.loads(self.aws("s3api", "delete-objects", "--bucket", self.bucket,
                                      "--delete", doc).stdout)
        self.assertEqual(len(deleted["Deleted"]), 3)
        upload = json.loads(self.aws("s3api", "create-multipart-upload", "--bucket", self.bucket,
                                     "--key", "up").stdout)["UploadId"]
        part = json.loads(self.aws("s3api", "upload-part-copy", "--bucket", self.bucket, "--key",
                                   "up", "--part-number", "3", "--upload-id", upload,
                                   "--copy-source", f"{self.bucket}/y").stdout)
        self.assertIn("ETag", part["CopyPartResult"])
        listed = self.aws("s3api", "list-multipart-uploads", "--bucket", self.bucket).stdout
        self.assertIn(upload, listed)
        parts = json.loads(self.aws("s3api", "list-parts", "--bucket", self.bucket, "--key", "up",
                                    "--upload-id", upload).stdout)
        self.assertEqual([p["PartNumber"] for p in parts["Parts"]], [3])
        self.aws("s3api", "abort-multipart-upload", "--bucket", self.bucket, "--key", "up",
                 "--upload-id", upload)
        self.assertNotIn(upload, self.aws("s3api", "list-multipart-uploads", "--bucket",
                                          self.bucket).stdout)


class S3cmd(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = need(find_client("s3cmd"), "s3cmd is absent: apt-get install s3cmd")

    def s3cmd(self, *arguments, ok=True):
        host = urllib.parse.urlsplit(ENDPOINT).netloc
        return run(self.client, "--no-ssl", f"--host={host}", f"--host-bucket={host}",
                   f"--access_key={ACCESS}", f"--secret_key={SECRET}", "--config", os.devnull,
                   "--no-progress", *arguments, ok=ok)

    def test_make_put_get_list_sync_remove(self):
        url = f"s3://{self.bucket}-cmd"
        self.s3cmd("mb", url)
        small, big = self.file("cmd-small", 1000), self.file("cmd-big", 40 * MIB)
        self.s3cmd("put", small, url + "/dir/small")
        self.s3cmd("put", big, url + "/big")
        self.assertIn("DIR", self.s3cmd("ls", url).stdout)
        self.s3cmd("get", "--force", url + "/big", self.path("cmd-back"))
        self.assert_same(big, self.path("cmd-back"))
        self.s3cmd("cp", url + "/dir/small", url + "/dir/copy")
        self.assertIn("MD5", self.s3cmd("info", url + "/dir/copy").stdout)
        self.s3cmd("rm", "--recursive", "--force", url)
        self.s3cmd("rb", url)


class Rclone(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = need(find_client("rclone"), "rclone is absent: apt-get install rclone")

    def rclone(self, *arguments, ok=True):
        remote = (f":s3,provider=Other,env_auth=true,region={REGION},"
                  f"endpoint='{ENDPOINT}':{self.bucket}")
        command = [a.replace("REMOTE", remote) for a in arguments]
        return run(self.client, *command, ok=ok)

    def test_copy_check_list_and_purge(self):
        os.makedirs(self.path("rc/deep"), exist_ok=True)
        self.file("rc/one", 10)
        self.file("rc/deep/two", 300_000)
        self.file("rc/deep/three", 12 * MIB)
        self.rclone("copy", "--s3-upload-cutoff", "8M", self.path("rc"), "REMOTE/rc")
        self.rclone("check", "--download", self.path("rc"), "REMOTE/rc")
        self.assertEqual(sorted(self.rclone("lsf", "-R", "--files-only", "REMOTE/rc")
                                .stdout.split()), ["deep/three", "deep/two", "one"])
        again = self.rclone("copy", "-v", self.path("rc"), "REMOTE/rc").stderr
        self.assertIn("There was nothing to transfer", again)
        self.rclone("moveto", "REMOTE/rc/one", "REMOTE/rc/uno")
        self.rclone("purge", "REMOTE")


JS = r"""
import { S3Client, CreateBucketCommand, PutObjectCommand, GetObjectCommand, HeadObjectCommand,
  ListObjectsV2Command, DeleteObjectsCommand, CopyObjectCommand, DeleteBucketCommand,
  HeadBucketCommand } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { Readable } from 'stream';
import { createHash, randomBytes } from 'crypto';
import assert from 'assert';

const [endpoint, access, secret, Bucket] = process.argv.slice(2);
const make = (secretAccessKey, more) => new S3Client({ endpoint, region: 'us-east-1',
  forcePathStyle: true, credentials: { accessKeyId: access, secretAccessKey }, ...more });
const s3 = make(secret);
const sha = (data) => createHash('sha256').update(data).digest('hex');
const bytes = async (Key, more) => Buffer.from(await (await s3.send(
  new GetObjectCommand({ Bucket, Key, ...more }))).Body.transformToByteArray());

await s3.send(new CreateBucketCommand({ Bucket }));
await s3.send(new HeadBucketCommand({ Bucket }));
const put = await s3.send(new PutObjectCommand({ Bucket, Key: 'a b/ü', Body: 'hello',
  Metadata: { shade: 'green' }, ContentType: 'text/plain' }));
assert.ok(put.ChecksumCRC32, 'CRC32 is echoed');
assert.equal((await bytes('a b/ü')).toString(), 'hello');
const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'a b/ü',
  ChecksumMode: 'ENABLED' }));
assert.equal(head.Metadata.shade, 'green');
assert.equal(head.ChecksumCRC32, put.ChecksumCRC32);

for (const size of [10, 200000]) {
  const data = randomBytes(size);
  await s3.send(new PutObjectCommand({ Bucket, Key: 'stream', Body: Readable.from([data]),
    ContentLength: size }));
  assert.equal(sha(await bytes('stream')), sha(data), 'streamed body of ' + size);
}
for (const ChecksumAlgorithm of ['CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']) {
  try {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'sum', Body: 'sum', ChecksumAlgorithm }));
  } catch (error) {
    if (!/CRT|@aws-sdk\/crc64-nvme/.test(error.message)) throw error;
  }
}
const big = randomBytes(17 * 1024 * 1024);
function* pieces() {
  for (let i = 0; i < big.length; i += 65536) yield big.subarray(i, i + 65536);
}
const done = await new Upload({ client: s3,
  params: { Bucket, Key: 'big', Body: Readable.from(pieces()) } }).done();
assert.match(done.ETag, /-4"$/);
assert.equal(sha(await bytes('big')), sha(big));
assert.equal(sha(await bytes('big', { Range: 'bytes=5000000-6000000' })),
  sha(big.subarray(5000000, 6000001)));
const part = await s3.send(new HeadObjectCommand({ Bucket, Key: 'big', PartNumber: 2 }));
assert.equal(part.PartsCount, 4);
await s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/big` }));
assert.equal(sha(await bytes('copy')), sha(big));

const page = await s3.send(new ListObjectsV2Command({ Bucket, MaxKeys: 2 }));
assert.equal(page.KeyCount, 2);
assert.ok(page.NextContinuationToken);
await assert.rejects(s3.send(new PutObjectCommand({ Bucket, Key: 'copy', Body: 'x',
  IfNoneMatch: '*' })), { name: 'PreconditionFailed' });
await assert.rejects(bytes('missing'), { name: 'NoSuchKey' });
await assert.rejects(make('wrong').send(new ListObjectsV2Command({ Bucket })),
  { name: 'SignatureDoesNotMatch' });

const getUrl = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: 'a b/ü' }));
assert.equal(await (await fetch(getUrl)).text(), 'hello');
const putUrl = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: 'by-url' }));
assert.equal((await fetch(putUrl, { method: 'PUT', body: 'by url' })).status, 200);
assert.equal((await bytes('by-url')).toString(), 'by url');

const all = await s3.send(new ListObjectsV2Command({ Bucket }));
await s3.send(new DeleteObjectsCommand({ Bucket,
  Delete: { Objects: all.Contents.map(({ Key }) => ({ Key })) } }));
await s3.send(new DeleteBucketCommand({ Bucket }));
console.log('passed');
"""


class AwsSdkJs(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.node = need(find_client("node"), "node is absent")
        modules = os.environ.get("HEARTH_S3_NODE_MODULES")
        if modules:
            os.symlink(os.path.join(modules, "node_modules"),
                       os.path.join(cls.folder, "node_modules"))
            return
        npm = need(find_client("npm"), "npm is absent")
        # The user's own settings of npm: HOME is the daemon's folder here.
        environment = dict(os.environ, HOME=pwd.getpwuid(os.getuid()).pw_dir)
        for _ in range(2):  # a package registry has its moments
            done = subprocess.run([npm, "i", "--no-audit", "--no-fund", *NPM_PACKAGES], text=True,
                                  cwd=cls.folder, env=environment, capture_output=True,
                                  timeout=200)
            if done.returncode == 0:
                break
        need(done.returncode == 0, "npm could not install aws-sdk-js v3: " + done.stderr[-1000:])

    def test_the_sdk_as_it_is_configured_by_default(self):
        script = self.path("test.mjs")
        with open(script, "w", encoding="utf-8") as out:
            out.write(JS)
        done = run(self.node, script, ENDPOINT, ACCESS, SECRET, self.bucket + "-js")
        self.assertIn("passed", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
