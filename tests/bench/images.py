"""An image of one static program, pushed to the daemon's registry without any tool."""

import hashlib
import http.client
import io
import json
import platform
import tarfile

MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def layer_of(program):
    """A tar archive with the program as /server."""
    data = program.read_bytes()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("server")
        member.size, member.mode = len(data), 0o755
        archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def descriptor(data, kind):
    return {"mediaType": "application/vnd.oci.image." + kind, "size": len(data),
            "digest": "sha256:" + hashlib.sha256(data).hexdigest()}


def send(address, method, path, body=b"", content_type="application/octet-stream"):
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": content_type})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        if answer.status not in (201, 202):
            raise RuntimeError("%s %s: %d %s" % (method, path, answer.status, text[:500]))
        return answer.getheader("Location")
    finally:
        connection.close()


def push_blob(address, name, data, kind):
    blob = descriptor(data, kind)
    place = send(address, "POST", "/v2/%s/blobs/uploads/" % name)
    path = place.split(address, 1)[-1]
    send(address, "PUT", path + ("&" if "?" in path else "?") + "digest=" + blob["digest"], data)
    return blob


def push_program(address, name, tag, program):
    """Returns the image's repository, as a function names it."""
    layer = layer_of(program)
    config = json.dumps({
        "os": "linux", "architecture": MACHINES.get(platform.machine(), platform.machine()),
        "config": {"Entrypoint": ["/server"]},
        "rootfs": {"type": "layers", "diff_ids": [descriptor(layer, "")["digest"]]}}).encode()
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": push_blob(address, name, config, "config.v1+json"),
                "layers": [push_blob(address, name, layer, "layer.v1.tar")]}
    send(address, "PUT", "/v2/%s/manifests/%s" % (name, tag), json.dumps(manifest).encode(),
         manifest["mediaType"])
    return address + "/" + name
