"""Presigned S3 requests (AWS Signature Version 4), so that a load generator needs no keys."""

import datetime
import hashlib
import hmac
import urllib.parse

REGION = "us-east-1"


class Signer:
    """One access key and one day; the signing key is made once."""

    def __init__(self, address, access_key, secret_key):
        self.address, self.access_key = address, access_key
        now = datetime.datetime.now(datetime.timezone.utc)
        self.time = now.strftime("%Y%m%dT%H%M%SZ")
        self.scope = "%s/%s/s3/aws4_request" % (self.time[:8], REGION)
        key = ("AWS4" + secret_key).encode()
        for part in self.scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        self.key = key

    def head(self, method, path, query=None, headers=()):
        """A request's head; `headers` are sent and not signed."""
        parameters = sorted({
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": self.access_key + "/" + self.scope,
            "X-Amz-Date": self.time, "X-Amz-Expires": "86400", "X-Amz-SignedHeaders": "host",
            **(query or {})}.items())
        canonical = "&".join("%s=%s" % (urllib.parse.quote(name, safe=""),
                                        urllib.parse.quote(value, safe=""))
                             for name, value in parameters)
        request = "\n".join((method, path, canonical, "host:" + self.address + "\n", "host",
                             "UNSIGNED-PAYLOAD"))
        to_sign = "\n".join(("AWS4-HMAC-SHA256", self.time, self.scope,
                             hashlib.sha256(request.encode()).hexdigest()))
        signature = hmac.new(self.key, to_sign.encode(), hashlib.sha256).hexdigest()
        lines = ["%s %s?%s&X-Amz-Signature=%s HTTP/1.1" % (method, path, canonical, signature),
                 "Host: " + self.address, *headers]
        return "\n".join(lines)
