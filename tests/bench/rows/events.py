"""P10: durable events, accepted and delivered."""

from daemon import Hearth
from measure import (ALL_CORES, Figure, Missing, Row, Side, Target, free_port, measured_with_cpu,
                     peak_mb, tool, wait_until)
from yardsticks import RabbitMq

SMALL_BYTES, LARGE_BYTES = 256, 4096
EVENTING = "/apis/eventing.knative.dev/v1/namespaces/default/"


def make_broker(hearth, sink, name="bench"):
    api = hearth.api()
    api.call("POST", EVENTING + "brokers", {
        "apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
        "metadata": {"name": name, "namespace": "default"}, "spec": {}})
    api.call("POST", EVENTING + "triggers", {
        "apiVersion": "eventing.knative.dev/v1", "kind": "Trigger",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"broker": name, "subscriber": {"uri": "http://127.0.0.1:%d/" % sink}}})
    return wait_ready(api, name)


def wait_ready(api, name):
    def ready():
        trigger = api.call("GET", EVENTING + "triggers/" + name)
        return any(c["type"] == "Ready" and c["status"] == "True"
                   for c in trigger.get("status", {}).get("conditions", []))
    wait_until(ready, 30, "the trigger")


def send_events(hearth, sink, events, batch=1, window=512, connections=64, size=SMALL_BYTES,
                broker="bench"):
    return measured_with_cpu(hearth.server_pids, lambda: tool(
        "events", "--broker", hearth.address(), "--path", "/default/" + broker, "--sink",
        "127.0.0.1:%d" % sink, "--events", events, "--batch", batch, "--window", window,
        "--connections", connections, "--data-bytes", size, "--timeout", "120", cores=ALL_CORES),
        "delivered")


def rabbit_run(rabbit, queue_type, messages, window, size=SMALL_BYTES):
    return measured_with_cpu(rabbit.pids, lambda: tool(
        "amqp", "--port", rabbit.port, "--queue-type", queue_type, "--messages", messages,
        "--window", window, "--data-bytes", size, "--timeout", "120", cores=ALL_CORES),
        "delivered")


class Figures:
    def __init__(self):
        rabbits = lambda: [Side("RabbitMQ, classic queue"), Side("RabbitMQ, quorum queue")]
        self.single = Figure("one event a request, 256 B", "1/s", "higher", Side("Hearth"),
                             rabbits(), [Target("value", "least", 40_000, "≥ 40,000/s"),
                                         Target("ratio", "least", 0.75, "≥ 0.75 × classic")])
        self.large = Figure("one event a request, 4 KiB", "1/s", "higher", Side("Hearth"),
                            rabbits(), [])
        self.batch = Figure("batches of 32", "1/s", "higher", Side("Hearth"), rabbits(),
                            [Target("value", "least", 120_000, "≥ 120,000/s"),
                             Target("ratio", "least", 1.5, "≥ 1.5 × classic")])
        # RabbitMQ delivers before it confirms: there is nothing of it to compare with.
        self.latency = Figure("accepted → delivered under that load", "ms", "lower",
                              Side("Hearth"), [], [Target("p99", "most", 20, "p99 ≤ 20 ms")])
        self.end_to_end = Figure("sent → delivered under that load", "ms", "lower", Side("Hearth"),
                                 rabbits(), [])
        self.memory = Figure("memory after the load, at its peak", "MB", "lower", Side("Hearth"),
                             [Side("RabbitMQ")], [Target("value", "most", 60, "≤ 60 MB"),
                                                  Target("ratio", "most", 1 / 6, "≤ 1/6")])

    def all(self):
        return [self.single, self.large, self.batch, self.latency, self.end_to_end, self.memory]

    def missing(self, why):
        for figure in self.all():
            for side in figure.yardsticks:
                side.missing = why


def p10(settings):
    figures = Figures()
    sink = free_port()
    with Hearth(ALL_CORES) as hearth:
        make_broker(hearth, sink)
        try:
            with RabbitMq(ALL_CORES) as rabbit:
                for _ in range(settings.rounds):
                    measure_ours(settings, hearth, sink, figures)
                    measure_rabbit(settings, rabbit, figures)
        except Missing as error:
            figures.missing(str(error))
            if not figures.single.hearth.values:
                for _ in range(settings.rounds):
                    measure_ours(settings, hearth, sink, figures)
    how = ("An event counts as accepted with the 202 that follows its flush to the disk, as "
           "delivered when the sink of the one trigger has it. At most 512 events are on their "
           "way at a time (1,024 in batches), so the rate is what goes in and comes out in the "
           "same time. Producers, sink and daemon share two cores. RabbitMQ: persistent messages, "
           "publisher confirms, one consumer that acknowledges, in C over raw AMQP, same windows; "
           "a batch is to it the same stream of single messages with the larger window.")
    return Row("P10", "Durable events", how, figures.all())


def note_losses(side, result):
    """A rate of events of which some were lost is no rate: the report says so beside it."""
    if result["delivered"] != result["accepted"] or not result["accepted"]:
        side.note = "%d accepted, %d delivered in time; %s" % (
            result["accepted"], result["delivered"], result["first_error"])


def measure_ours(settings, hearth, sink, figures):
    result = send_events(hearth, sink, settings.count(60_000, 10_000))
    note_losses(figures.single.hearth, result)
    figures.single.hearth.add(result["delivered_rate"], None, result["cpu_us"])
    figures.latency.hearth.add(result["deliver_p50_us"] / 1e3, result["deliver_p99_us"] / 1e3)
    figures.end_to_end.hearth.add(result["end_to_end_p50_us"] / 1e3,
                                  result["end_to_end_p99_us"] / 1e3)
    result = send_events(hearth, sink, settings.count(5_000, 2_000), size=LARGE_BYTES)
    note_losses(figures.large.hearth, result)
    figures.large.hearth.add(result["delivered_rate"], None, result["cpu_us"])
    # A refusal is known after a few.
    probe = send_events(hearth, sink, 64, batch=32)
    if probe["refused"]:
        figures.batch.hearth.missing = "not there: the ingress answers " + probe["first_error"][:3]
    else:
        result = send_events(hearth, sink, settings.count(160_000, 32_000), 32, 1024)
        note_losses(figures.batch.hearth, result)
        figures.batch.hearth.add(result["delivered_rate"], None, result["cpu_us"])
    figures.memory.hearth.add(peak_mb(hearth.pid))


def measure_rabbit(settings, rabbit, figures):
    messages = settings.count(60_000, 20_000)
    for index, queue_type in enumerate(("classic", "quorum")):
        result = rabbit_run(rabbit, queue_type, messages, 512)
        figures.single.yardsticks[index].add(result["delivered_rate"], None, result["cpu_us"])
        figures.end_to_end.yardsticks[index].add(result["end_to_end_p50_us"] / 1e3,
                                                 result["end_to_end_p99_us"] / 1e3)
        result = rabbit_run(rabbit, queue_type, messages // 12, 512, LARGE_BYTES)
        figures.large.yardsticks[index].add(result["delivered_rate"], None, result["cpu_us"])
        result = rabbit_run(rabbit, queue_type, messages, 1024)
        figures.batch.yardsticks[index].add(result["delivered_rate"], None, result["cpu_us"])
    figures.memory.yardsticks[0].add(sum(peak_mb(pid) for pid in rabbit.pids()))


ROWS = {"P10": p10}
