"""The registries of pip, npm and Go at a loopback port, with the packages of samples/*-deps.

They carry the names that the samples ask for, and of their content what the samples call. Their
bytes are not the published ones, so lock files that pin bytes are written anew.
"""

import base64
import hashlib
import http.server
import io
import json
import os
import tarfile
import threading
import zipfile

INFLECTION = '''import re


def parameterize(string, separator="-"):
    return re.sub(r"[^a-z0-9]+", separator, string.lower()).strip(separator)
'''

MS = '''const units = { days: 86400000 };

module.exports = (text) => {
  const [count, unit] = text.split(" ");
  return Number(count) * units[unit];
};
'''

UUID = '''// Package uuid makes UUIDs of version 5: RFC 4122, 4.3.
package uuid

import (
	"crypto/sha1"
	"fmt"
)

type UUID [16]byte

var NameSpaceDNS = UUID{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
	0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}

func NewSHA1(space UUID, data []byte) UUID {
	sum := sha1.Sum(append(space[:], data...))
	var id UUID
	copy(id[:], sum[:])
	id[6] = id[6]&0x0f | 5<<4
	id[8] = id[8]&0x3f | 0x80
	return id
}

func (u UUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
'''

GO_MODULE, GO_PUBLISHED = "github.com/google/uuid", "v1.6.0"
# Go's build cache, which tests share, knows the files of a module by its version.
GO_VERSION = "%s-test%s" % (GO_PUBLISHED, hashlib.sha256(UUID.encode()).hexdigest()[:12])
GO_MOD = "module %s\n" % GO_MODULE


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def wheel():
    info = "inflection-0.5.1.dist-info/"
    files = {"inflection.py": INFLECTION,
             info + "METADATA": "Metadata-Version: 2.1\nName: inflection\nVersion: 0.5.1\n",
             info + "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = [*files, info + "RECORD"]
    return zipped({**files, info + "RECORD": "".join(name + ",,\n" for name in record)})


def npm_tarball():
    out = io.BytesIO()
    files = {"package.json": json.dumps({"name": "ms", "version": "2.1.3", "main": "index.js"}),
             "index.js": MS}
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo("package/" + name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


def go_files():
    return {"go.mod": GO_MOD, "uuid.go": UUID}


def go_hash(files):
    """h1: of golang.org/x/mod/sumdb/dirhash."""
    lines = ["%s  %s\n" % (hashlib.sha256(text.encode()).hexdigest(), name)
             for name, text in sorted(files.items())]
    return "h1:" + base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()


class PackageIndex:
    """Serves while it is entered; `asked` has the paths of all requests so far."""

    def __init__(self):
        self.asked = []
        self.wheel, self.tarball = wheel(), npm_tarball()
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                index.asked.append(self.path)
                found = index.find(self.path)
                self.send_response(200 if found else 404)
                content_type, body = found or ("text/plain", b"no such package\n")
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def find(self, path):
        """(content type, body) or None"""
        if path.startswith("/go/"):
            return self.find_go(path.removeprefix("/go/"))
        wheel_path = "/files/inflection-0.5.1-py3-none-any.whl"
        page = '<a href="%s">%s</a>' % (wheel_path, os.path.basename(wheel_path))
        return {"/pypi/inflection/": ("text/html", page.encode()),
                wheel_path: ("application/octet-stream", self.wheel),
                "/npm/ms": ("application/json", self.npm_metadata()),
                "/files/ms-2.1.3.tgz": ("application/octet-stream", self.tarball)}.get(path)

    def npm_metadata(self):
        release = {"name": "ms", "version": "2.1.3",
                   "dist": {"tarball": self.url + "/files/ms-2.1.3.tgz",
                            "integrity": self.npm_integrity()}}
        return json.dumps({"name": "ms", "dist-tags": {"latest": "2.1.3"},
                           "versions": {"2.1.3": release}}).encode()

    def npm_integrity(self):
        return "sha512-" + base64.b64encode(hashlib.sha512(self.tarball).digest()).decode()

    def find_go(self, path):
        inside = "%s@%s/" % (GO_MODULE, GO_VERSION)
        archive = zipped({inside + name: text for name, text in go_files().items()})
        info = json.dumps({"Version": GO_VERSION, "Time": "2024-01-23T18:54:04Z"})
        versions = GO_MODULE + "/@v/"
        return {versions + "list": ("text/plain", (GO_VERSION + "\n").encode()),
                versions + GO_VERSION + ".info": ("application/json", info.encode()),
                versions + GO_VERSION + ".mod": ("text/plain", GO_MOD.encode()),
                versions + GO_VERSION + ".zip": ("application/zip", archive)}.get(path)

    def variables(self):
        """What makes pip, npm and go ask here and nowhere else."""
        return {"PIP_INDEX_URL": self.url + "/pypi", "PIP_CONFIG_FILE": os.devnull,
                "PIP_FIND_LINKS": "", "PIP_NO_INDEX": "0",
                "npm_config_registry": self.url + "/npm",
                "GOPROXY": self.url + "/go", "GOSUMDB": "off", "GOTOOLCHAIN": "local",
                # Else only root can remove the cache.
                "GOFLAGS": "-modcacherw",
                "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

    def lock(self, samples):
        """Pins these packages in the samples' lock files instead of the published ones."""
        sums = {"": go_hash({"%s@%s/%s" % (GO_MODULE, GO_VERSION, name): text
                             for name, text in go_files().items()}),
                "/go.mod": go_hash({"go.mod": GO_MOD})}
        for name in ("go.mod", "function-inline.yaml"):
            file = samples / "go-deps" / name
            file.write_text(file.read_text().replace(GO_PUBLISHED, GO_VERSION))
        (samples / "go-deps/go.sum").write_text("".join(
            "%s %s%s %s\n" % (GO_MODULE, GO_VERSION, part, sums[part]) for part in sums))
        lock = samples / "node-deps/package-lock.json"
        content = json.loads(lock.read_text())
        content["packages"]["node_modules/ms"]["integrity"] = self.npm_integrity()
        lock.write_text(json.dumps(content))
