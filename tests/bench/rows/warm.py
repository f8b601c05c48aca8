"""P7, P8, P9: requests to instances that run."""

import contextlib
import os
import tempfile

from daemon import GO_HELLO, Hearth, function, go_state
from images import push_program
from measure import (LOAD_CORE, SERVER_CORE, Figure, Missing, Process, Row, Side, Target,
                     descendants, free_port, pin_process, warm_load)
from yardsticks import functions_framework_node, functions_framework_python, nginx

# One instance, and never another.
WARM = {"minReplicas": 1, "maxReplicas": 1, "targetConcurrency": 1000}


def load(address, head, settings, connections, pids, seconds):
    return warm_load(pids, address, [head], settings.seconds(seconds), "--connections",
                     connections)


P7_HOW = (
    "The proxy has one core to itself: the gateway, and nginx with one worker. The function, a Go "
    "program, and the load share the other. Hearth speaks frames to it over a Unix socket, and in "
    "the figures over HTTP, HTTP/1.1 to the same program as an image that listens at PORT; nginx "
    "speaks HTTP to the same program started with PORT over TCP, and over a Unix socket to an HTTP "
    "server in it. The other core is full before the proxy is, so what the proxy can do is told by "
    "the processor time of its process alone: the first figures are its inverse. The daemon's "
    "other threads count.")


class ProxyFigures:
    """Of one way to the upstream: requests a core-second, and the whole chain."""

    def __init__(self, way, ratio_targets, p99_targets):
        nginxes = lambda: [Side("nginx"), Side("nginx, upstream at a Unix socket")]
        self.rate = Figure("requests a core-second of the proxy, 1 KiB, 64 connections" + way,
                           "1/s", "higher", Side("Hearth"), nginxes(), ratio_targets)
        self.chain = Figure("whole chain, upstream and client on the other core" + way, "1/s",
                            "higher", Side("Hearth"), nginxes(), p99_targets)

    def add_ours(self, result):
        self._add(self.rate.hearth, self.chain.hearth, result)

    def add_theirs(self, index, result):
        self._add(self.rate.yardsticks[index], self.chain.yardsticks[index], result)

    @staticmethod
    def _add(rate, chain, result):
        rate.add(1e6 / result["cpu_us"], None, result["cpu_us"])
        chain.add(result["rate"], result["p99_us"] / 1e3, result["cpu_us"])


def p7(settings):
    frames = ProxyFigures("", [Target("ratio", "least", 1.0, "≥ 1.0 × nginx")],
                          [Target("p99_ratio", "most", 1.0, "p99 ≤ nginx's")])
    over_http = ProxyFigures(", over HTTP", [], [])
    with Hearth(SERVER_CORE, go_state()) as hearth, contextlib.ExitStack() as stack:
        hearth.deploy(function("warm", GO_HELLO, "go", WARM))
        binary = hearth.go_binary()
        hearth.deploy(image_function("warm-image", hearth, binary))
        proxies = nginx_proxies(stack, binary)
        for _ in range(settings.rounds):
            frames.add_ours(hearth_proxy(hearth, "warm", settings))
            over_http.add_ours(hearth_proxy(hearth, "warm-image", settings))
            for index, (address, workers) in enumerate(proxies):
                result = load(address, "GET / HTTP/1.1\nHost: warm", settings, 64, workers, 4)
                for figures in (frames, over_http):
                    figures.add_theirs(index, result)
    return Row("P7", "Warm proxying", P7_HOW, [frames.rate, frames.chain, over_http.rate,
                                               over_http.chain])


def image_function(name, hearth, binary):
    repository = push_program(hearth.address("registry"), "bench/server", "1", binary)
    manifest = function(name, "", "go", WARM)
    manifest["spec"]["source"] = {"type": "image",
                                  "image": {"repository": repository, "tag": "1"}}
    return manifest


def nginx_proxies(stack, binary):
    """nginx in front of the program over TCP, and over a Unix socket: (address, pids) of each."""
    port = free_port()
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="upstream-"))
    unix = folder + "/socket"
    env = dict(os.environ, PORT=str(port), TIMEOUT_SECONDS="300", K_SERVICE="warm",
               BENCH_SOCKET=unix)
    stack.enter_context(Process([binary], LOAD_CORE, port, env=env, cwd=binary.parent))
    for path in (folder, unix):  # nginx's worker is another user
        os.chmod(path, 0o777)
    location = ("location / { proxy_pass http://function; proxy_http_version 1.1; "
                "proxy_set_header Connection ''; }")
    return [stack.enter_context(nginx(location, SERVER_CORE, "upstream function { server %s; "
                                      "keepalive 256; }" % upstream))
            for upstream in ("127.0.0.1:%d" % port, "unix:" + unix)]


def hearth_proxy(hearth, name, settings):
    # min-scale keeps one instance; it runs where the load does.
    for pid in descendants(hearth.pid):
        pin_process(pid, LOAD_CORE)
    return load(hearth.address(), hearth.request_head(name), settings, 64, hearth.server_pids, 4)


PYTHON_FRAMEWORK = """import functions_framework

@functions_framework.http
def handler(request):
    return 'hello'
"""
NODE_FRAMEWORK = """const functions = require('@google-cloud/functions-framework');
functions.http('handler', (request, response) => { response.send('hello'); });
"""


def handler_row(settings, name, language, code, framework, framework_code, targets):
    single = Figure("one connection, time of a request", "µs", "lower", Side("Hearth"),
                    [Side(framework[0])], targets["single"])
    many = Figure("16 connections", "1/s", "higher", Side("Hearth"), [Side(framework[0])],
                  targets["many"])
    with Hearth(SERVER_CORE) as hearth:
        hearth.deploy(function("warm", code, language, WARM))
        try:
            measure_handlers(settings, hearth, framework, framework_code, single, many)
        except Missing as error:
            for figure in (single, many):
                figure.yardsticks[0].missing = str(error)
            for _ in range(settings.rounds):
                measure_ours(settings, hearth, single, many)
    how = ("One instance of a handler that returns a word. All of the server's processes share "
           "one core, the load has the other. Processor time is that of daemon and instance, or "
           "of the framework's processes.")
    return Row(name, "Warm %s handler, end to end" % language, how, [many, single])


def measure_handlers(settings, hearth, framework, framework_code, single, many):
    with framework[1](framework_code) as (address, pids):
        for _ in range(settings.rounds):
            measure_ours(settings, hearth, single, many)
            for figure, connections in ((single, 1), (many, 16)):
                result = load(address, "GET / HTTP/1.1\nHost: warm", settings, connections, pids, 3)
                record(figure, 1, result)


def measure_ours(settings, hearth, single, many):
    for figure, connections in ((single, 1), (many, 16)):
        result = load(hearth.address(), hearth.request_head("warm"), settings, connections,
                      hearth.all_pids, 3)
        record(figure, 0, result)


def record(figure, side, result):
    target = figure.hearth if side == 0 else figure.yardsticks[0]
    if figure.unit == "µs":
        target.add(result["p50_us"], result["p99_us"], result["cpu_us"])
    else:
        target.add(result["rate"], None, result["cpu_us"])


def p8(settings):
    return handler_row(
        settings, "P8", "python", "def handler(event):\n    return 'hello'\n",
        ("functions-framework with gunicorn", functions_framework_python), PYTHON_FRAMEWORK,
        {"single": [Target("value", "most", 60, "≤ 60 µs")],
         "many": [Target("value", "least", 15_000, "≥ 15,000/s")]})


def p9(settings):
    return handler_row(
        settings, "P9", "nodejs", "exports.handler = async () => 'hello';\n",
        ("functions-framework for Node.js", functions_framework_node), NODE_FRAMEWORK,
        {"single": [], "many": [Target("value", "least", 20_000, "≥ 20,000/s")]})


ROWS = {"P7": p7, "P8": p8, "P9": p9}
