"""P11, P12: the object store, small objects and large ones."""

import base64
import contextlib
import hashlib
import os
import subprocess
import time

from daemon import Hearth
from measure import (HOME, LOAD_CORE, SERVER_CORE, Figure, Missing, Row, Side, Target, http_load,
                     measured_with_cpu, pinned, warm_load)
from s3_requests import Signer
from yardsticks import nginx, program, s3rver, seaweedfs

KEYS = 2_000
LARGE_BYTES = 64 * 1024 * 1024


@contextlib.contextmanager
def hearth_store():
    """Yields as the yardsticks do: address, key, secret, pids."""
    with Hearth(SERVER_CORE) as hearth:
        yield hearth.address("s3"), "hearth", "hearth-secret", hearth.server_pids


def create_bucket(store):
    address, key, secret, _ = store
    head = Signer(address, key, secret).head("PUT", "/bench", headers=("Content-Length: 0",))
    with contextlib.suppress(RuntimeError):  # s3rver has it already
        http_load(address, [head], "--requests", "1")


class Stores:
    """Hearth and the yardsticks, up as long as the row runs; those that don't come are named."""

    def __init__(self, *openers):
        self.openers = openers
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        self.up, self.missing = [], {}
        for index, opener in enumerate(self.openers):
            try:
                store = self.stack.enter_context(opener())
            except Missing as error:
                if index == 0:
                    raise
                self.missing[index] = str(error)
                continue
            self.up.append((index, store))
            create_bucket(store)
        return self

    def __exit__(self, *unused):
        self.stack.close()


def small_heads(store, method, size):
    address, key, secret, _ = store
    signer = Signer(address, key, secret)
    headers = ("Content-Length: %d" % size,) if method == "PUT" else ()
    return [signer.head(method, "/bench/small/%05d" % i, headers=headers) for i in range(KEYS)]


def small_load(settings, store, method, connections=32):
    size = 4096 if method == "PUT" else 0
    heads = small_heads(store, method, 4096)
    return warm_load(store[3], store[0], heads, settings.seconds(4), "--connections", connections,
                     "--body-bytes", size)


def p11(settings):
    names = ("s3rver", "SeaweedFS")
    put = Figure("4 KiB PUT, 32 connections", "1/s", "higher", Side("Hearth"),
                 [Side(name) for name in names], [Target("value", "least", 10_000, "≥ 10,000/s")])
    get = Figure("4 KiB GET, 32 connections", "1/s", "higher", Side("Hearth"),
                 [Side(name) for name in names], [Target("value", "least", 40_000, "≥ 40,000/s")])
    with Stores(hearth_store, s3rver, seaweedfs) as stores:
        for store in stores.up:  # every key must be there before it is read
            http_load(store[1][0], small_heads(store[1], "PUT", 4096), "--requests", KEYS,
                      "--connections", "8", "--body-bytes", "4096")
        for _ in range(settings.rounds):
            for index, store in stores.up:
                for figure, method in ((put, "PUT"), (get, "GET")):
                    result = small_load(settings, store, method)
                    side_of(figure, index).add(result["rate"], result["p99_us"] / 1e3,
                                               result["cpu_us"])
        for index, why in stores.missing.items():
            for figure in (put, get):
                side_of(figure, index).missing = why
    how = ("Presigned requests over %d keys in turn. A PUT of Hearth is answered after its flush; "
           "neither yardstick flushes. Each server has one core, the load the other. p99 is that "
           "of an answer, in ms." % KEYS)
    return Row("P11", "Small objects", how, [put, get])


def side_of(figure, index):
    return figure.hearth if index == 0 else figure.yardsticks[index - 1]


def large_put(settings, store, body_file, digest):
    address, key, secret, pids = store
    head = Signer(address, key, secret).head(
        "PUT", "/bench/large", headers=("Content-Length: %d" % LARGE_BYTES,
                                        "Content-MD5: " + digest))
    result = measured_with_cpu(pids, lambda: http_load(
        address, [head], "--requests", settings.count(8, 2), "--body-file", body_file,
        cores=LOAD_CORE))
    result["mb_per_second"] = result["requests"] * LARGE_BYTES / result["seconds"] / 1e6
    return result


def large_get(settings, address, head, pids):
    result = measured_with_cpu(pids, lambda: http_load(
        address, [head], "--seconds", settings.seconds(2), cores=LOAD_CORE))
    result["mb_per_second"] = result["body_bytes"] / result["seconds"] / 1e6
    return result


def md5_of_openssl(body_file):
    start = time.monotonic()
    subprocess.run(pinned(SERVER_CORE, [program("openssl", "Debian"), "dgst", "-md5", body_file]),
                   check=True, capture_output=True)
    return LARGE_BYTES / (time.monotonic() - start) / 1e6


def p12(settings):
    put = Figure("64 MiB PUT with Content-MD5", "MB/s", "higher", Side("Hearth"),
                 [Side("openssl dgst -md5"), Side("s3rver")],
                 [Target("value", "least", 500, "≥ 500 MB/s")])
    get = Figure("64 MiB GET", "MB/s", "higher", Side("Hearth"),
                 [Side("nginx, static file"), Side("s3rver")],
                 [Target("value", "least", 3_000, "≥ 3,000 MB/s")])
    HOME.mkdir(parents=True, exist_ok=True)
    body = HOME / "large.bin"
    data = os.urandom(1024 * 1024) * 64
    body.write_bytes(data)
    digest = base64.b64encode(hashlib.md5(data).digest()).decode()
    del data
    with contextlib.ExitStack() as stack:
        stores = stack.enter_context(Stores(hearth_store, s3rver))
        for why in stores.missing.values():
            put.yardsticks[1].missing = get.yardsticks[1].missing = why
        try:
            web = stack.enter_context(nginx("root %s;" % HOME))
        except Missing as error:
            web, get.yardsticks[0].missing = None, str(error)
        for _ in range(settings.rounds):
            measure_large(settings, stores, web, body, digest, put, get)
    body.unlink()
    how = ("One connection. The PUT carries Content-MD5, which the store verifies; `openssl dgst "
           "-md5` of the same bytes is the ceiling of one core. Each server has one core, the "
           "load the other. nginx sends the same bytes as a file.")
    return Row("P12", "Large objects", how, [put, get])


def measure_large(settings, stores, web, body, digest, put, get):
    for index, store in stores.up:
        result = large_put(settings, store, body, digest)
        (put.hearth if index == 0 else put.yardsticks[1]).add(
            result["mb_per_second"], None, result["cpu_us"])
        head = Signer(*store[:3]).head("GET", "/bench/large")
        result = large_get(settings, store[0], head, store[3])
        (get.hearth if index == 0 else get.yardsticks[1]).add(
            result["mb_per_second"], None, result["cpu_us"])
    put.yardsticks[0].add(md5_of_openssl(body))
    if web:
        result = large_get(settings, web[0], "GET /large.bin HTTP/1.1\nHost: bench", web[1])
        get.yardsticks[0].add(result["mb_per_second"], None, result["cpu_us"])


ROWS = {"P11": p11, "P12": p12}
