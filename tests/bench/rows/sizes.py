"""Cost against size: functions deployed, events waiting, objects in a bucket."""

from daemon import PYTHON_HELLO, Hearth, function
from measure import (ALL_CORES, LOAD_CORE, Figure, Row, Side, Target, free_port, http_load,
                     memory_mb, tool)
from rows.cold_starts import add_percentiles
from rows.events import make_broker, send_events
from rows.whole_daemon import deploy_up_to
from s3_requests import Signer

ROUNDS = 3


class Series:
    """One operation at several sizes, a figure each. The one at `baseline` is the yardstick of all;
    larger ones must be below `flat` times it."""

    def __init__(self, name, unit, baseline=0, flat=None):
        self.name, self.unit, self.baseline, self.flat = name, unit, baseline, flat
        self.sides = []

    def side(self, label):
        """The side of one size; it gets a value a round."""
        self.sides.append(Side(label))
        return self.sides[-1]

    def figures(self):
        base = self.sides[self.baseline]
        out = []
        for index, side in enumerate(self.sides):
            targets = [Target("ratio", "most", self.flat, "flat: ≤ %s ×" % self.flat)] \
                if self.flat and index > self.baseline else []
            out.append(Figure("%s, %s" % (self.name, side.name), self.unit, "lower",
                              Side("Hearth", side.values, side.p99), [base], targets))
        return out


def functions(settings):
    sizes = (1, 20, 60) if settings.quick else (1, 100, 1_000, 10_000)
    # P18 asks for a flat cost from the second size on.
    apply_each = Series("apply to Ready, each of 50 more", "ms", 1, None if settings.quick else 1.3)
    memory, cold = Series("resident memory", "MB"), Series("cold start", "ms")
    with Hearth(ALL_CORES) as hearth:
        hearth.deploy(function("probe", PYTHON_HELLO))
        apply_more_ms(hearth)
        cold_starts_ms(hearth)
        for count in sizes:
            deploy_up_to(hearth, count)
            label = "%d functions" % count
            sides = [series.side(label) for series in (apply_each, memory, cold)]
            for _ in range(ROUNDS):
                sides[0].add(apply_more_ms(hearth))
                sides[1].add(memory_mb(hearth.pid))
                add_percentiles(sides[2], cold_starts_ms(hearth))
    return apply_each.figures() + memory.figures() + cold.figures()


def apply_more_ms(hearth, count=50):
    """Deploys some more functions at once; they go again."""
    names = ["more-%02d" % i for i in range(count)]
    _, ready = hearth.deploy(*[function(name, PYTHON_HELLO) for name in names])
    hearth.scale_to_zero(*names)
    hearth.undeploy(*names)
    return ready / count * 1e3


def cold_starts_ms(hearth):
    times = [hearth.cold_start_us("probe", LOAD_CORE) / 1e3 for _ in range(30)]
    hearth.scale_to_zero("probe")
    return times


def events(settings):
    """Events pile up behind a sink that nobody listens at; then more are accepted, and those of
    another broker are delivered. Sent and not accepted → delivered: the sink may be faster than the
    202."""
    accept, memory = Series("accepting an event", "ms"), Series("resident memory", "MB")
    deliver = Series("sent → delivered through another broker", "ms")
    live_sink = free_port()
    with Hearth(ALL_CORES) as hearth:
        make_broker(hearth, free_port())
        make_broker(hearth, live_sink, "live")
        one_by_one_delivered(hearth, live_sink)
        waiting = 0
        for count in (0, 10_000) if settings.quick else (0, 100_000, 1_000_000):
            fill(hearth, count - waiting)
            waiting = max(waiting, count)
            label = "%d events waiting" % count
            sides = [series.side(label) for series in (accept, deliver, memory)]
            for _ in range(ROUNDS):
                accepted = fill(hearth, 2_000, connections=1)
                waiting += 2_000
                delivered = one_by_one_delivered(hearth, live_sink)
                add_times(sides[0], accepted, "accept_")
                add_times(sides[1], delivered, "end_to_end_")
                sides[2].add(memory_mb(hearth.pid))
    return accept.figures() + deliver.figures() + memory.figures()


def add_times(side, result, prefix=""):
    side.add(result[prefix + "p50_us"] / 1e3, result[prefix + "p99_us"] / 1e3)


def one_by_one_delivered(hearth, sink):
    result = send_events(hearth, sink, 2_000, window=1, connections=1, broker="live")
    if result["delivered"] != 2_000:
        raise RuntimeError("%d of 2000 events delivered in time" % result["delivered"])
    return result


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
    put, get = Series("PUT of 1 KiB", "ms"), Series("GET of 1 KiB", "ms")
    listing = Series("list of 1,000 keys", "ms")
    with Hearth(ALL_CORES) as hearth:
        signer = Signer(hearth.address("s3"), "hearth", "hearth-secret")
        http_load(signer.address, [signer.head("PUT", "/bench", headers=("Content-Length: 0",))],
                  "--requests", "1")
        there = 0
        for count in (1_000, 10_000) if settings.quick else (1_000, 100_000, 1_000_000):
            add_objects(signer, there, count)
            if there == 0:  # the first size must not be the only cold one
                measure_objects(signer, count)
            there = count
            sides = [series.side("%d objects" % count) for series in (put, get, listing)]
            for _ in range(ROUNDS):
                for side, result in zip(sides, measure_objects(signer, count)):
                    add_times(side, result)
    return put.figures() + get.figures() + listing.figures()


def measure_objects(signer, count):
    """One client's PUT, GET and list, spread over all keys."""
    keys = ["/bench/%09d" % i for i in range(0, count, max(1, count // 500))]
    pages = [{"list-type": "2", "start-after": "%09d" % start}
             for start in range(0, max(1, count - 1_000), max(1, count // 50))]
    lists = [signer.head("GET", "/bench", query) for query in pages]
    return (one_by_one(signer, "PUT", keys), one_by_one(signer, "GET", keys),
            http_load(signer.address, lists, "--requests", max(50, len(lists))))


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
                     1024 if method == "PUT" else 0)


HOW = ("The same operation on a daemon that holds more and more, after one round that counts for "
       "nothing; then three rounds a size. The ratio is that to the size in the column of the "
       "yardstick: 1 is flat. One client, one request at a time, but for `apply`, which hands over "
       "50 functions at once and deletes them afterwards; the daemon has both cores.")


def row(name, title, part):
    return lambda settings: Row(name, title, HOW, part(settings))


ROWS = {"sizes-functions": row("sizes-functions", "Cost against functions deployed", functions),
        "sizes-events": row("sizes-events", "Cost against events waiting", events),
        "sizes-objects": row("sizes-objects", "Cost against objects in a bucket", objects)}
