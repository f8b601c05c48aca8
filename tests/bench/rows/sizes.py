"""Cost against size: functions deployed, events waiting, objects in a bucket."""

import time

from daemon import PYTHON_HELLO, Hearth, function
from measure import (ALL_CORES, LOAD_CORE, Figure, Row, Side, free_port, http_load, memory_mb, tool)
from rows.events import make_broker
from rows.whole_daemon import deploy_up_to
from s3_requests import Signer


def series(name, unit, points):
    """One figure a size; the first one is the yardstick of the others."""
    first = Side(points[0][0], [points[0][1]])
    return [Figure("%s, %s" % (name, label), unit, "lower", Side("Hearth", [value]), [first], [])
            for label, value in points]


def functions(settings):
    apply_each, memory, cold = [], [], []
    with Hearth(ALL_CORES) as hearth:
        hearth.deploy(function("probe", PYTHON_HELLO))
        hearth.scale_to_zero("probe")
        there = 1
        for count in (1, 20, 60) if settings.quick else (1, 100, 1_000, 10_000):
            start = time.monotonic()
            deploy_up_to(hearth, count)
            label = "%d functions" % count
            if count > there:
                apply_each.append((label, (time.monotonic() - start) / (count - there) * 1e3))
            there = count
            memory.append((label, memory_mb(hearth.pid)))
            starts = sorted(hearth.cold_start_us("probe", LOAD_CORE) / 1e3 for _ in range(30))
            cold.append((label, starts[15]))
            hearth.scale_to_zero("probe")
    return (series("apply to Ready and to zero again, each", "ms", apply_each) +
            series("resident memory", "MB", memory) + series("cold start", "ms", cold))


def events(settings):
    """Events pile up behind a sink that nobody listens at; then more are accepted."""
    accept, memory = [], []
    with Hearth(ALL_CORES) as hearth:
        make_broker(hearth, free_port())
        waiting = 0
        for count in (0, 10_000) if settings.quick else (0, 100_000, 1_000_000):
            fill(hearth, count - waiting)
            result = fill(hearth, 5_000, connections=1)
            waiting = count + 5_000
            label = "%d events waiting" % count
            accept.append((label, result["accept_p50_us"] / 1e3))
            memory.append((label, memory_mb(hearth.pid)))
    return (series("accepting an event", "ms", accept) + series("resident memory", "MB", memory))


def fill(hearth, count, connections=64):
    if count <= 0:
        return {}
    result = tool("events", "--broker", hearth.address(), "--path", "/default/bench", "--events",
                  count, "--window", 256, "--connections", connections, "--timeout", "1200",
                  cores=ALL_CORES, timeout=1500)
    if result["refused"]:
        raise RuntimeError("events refused: " + result["first_error"])
    return result


def objects(settings):
    put, get, listing = [], [], []
    with Hearth(ALL_CORES) as hearth:
        signer = Signer(hearth.address("s3"), "hearth", "hearth-secret")
        address = signer.address
        http_load(address, [signer.head("PUT", "/bench", headers=("Content-Length: 0",))],
                  "--requests", "1")
        there = 0
        for count in (1_000, 10_000) if settings.quick else (1_000, 100_000, 1_000_000):
            add_objects(signer, there, count)
            there = count
            label = "%d objects" % count
            step = max(1, count // 500)
            keys = ["/bench/%09d" % i for i in range(0, count, step)]
            put.append((label, one_by_one(signer, "PUT", keys)))
            get.append((label, one_by_one(signer, "GET", keys)))
            pages = [{"list-type": "2", "start-after": "%09d" % start}
                     for start in range(0, max(1, count - 1_000), max(1, count // 50))]
            heads = [signer.head("GET", "/bench", query) for query in pages]
            listing.append((label, http_load(address, heads, "--requests", len(heads))["p50_us"]
                            / 1e3))
    return (series("PUT of 1 KiB", "ms", put) + series("GET of 1 KiB", "ms", get) +
            series("list of 1,000 keys", "ms", listing))


def add_objects(signer, start, end):
    for first in range(start, end, 20_000):
        heads = [signer.head("PUT", "/bench/%09d" % i, headers=("Content-Length: 1024",))
                 for i in range(first, min(end, first + 20_000))]
        http_load(signer.address, heads, "--requests", len(heads), "--connections", "64",
                  "--body-bytes", "1024", "--timeout", "600", cores=ALL_CORES, timeout=900)


def one_by_one(signer, method, keys):
    headers = ("Content-Length: 1024",) if method == "PUT" else ()
    heads = [signer.head(method, key, headers=headers) for key in keys]
    return http_load(signer.address, heads, "--requests", len(heads), "--body-bytes",
                     1024 if method == "PUT" else 0)["p50_us"] / 1e3


HOW = ("The same operation on a daemon that holds more and more. The ratio is that to the "
       "smallest size: 1 is flat. One client, one request at a time; the daemon has both cores.")


def row(name, title, part):
    return lambda settings: Row(name, title, HOW, part(settings))


ROWS = {"sizes-functions": row("sizes-functions", "Cost against functions deployed", functions),
        "sizes-events": row("sizes-events", "Cost against events waiting", events),
        "sizes-objects": row("sizes-objects", "Cost against objects in a bucket", objects)}
