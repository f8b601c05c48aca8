"""P7, P8, P9: requests to instances that run."""

import os

from daemon import GO_HELLO, Hearth, function, go_state
from measure import (LOAD_CORE, SERVER_CORE, Figure, Missing, Process, Row, Side, Target,
                     descendants, free_port, http_load, measured_with_cpu, pin_process)
from yardsticks import functions_framework_node, functions_framework_python, nginx

def load(address, head, settings, connections, pids, seconds=5, cores=LOAD_CORE):
    return measured_with_cpu(pids, lambda: http_load(
        address, [head], "--connections", connections, "--seconds", settings.seconds(seconds),
        "--warm-up", "0.5", cores=cores))


def p7(settings):
    rate = Figure("requests a core-second of the proxy, 1 KiB, 64 connections", "1/s", "higher",
                  Side("Hearth"), [Side("nginx")],
                  [Target("ratio", "least", 1.0, "≥ 1.0 × nginx")])
    chain = Figure("whole chain, upstream and client on the other core", "1/s", "higher",
                   Side("Hearth"), [Side("nginx")],
                   [Target("p99_ratio", "most", 1.0, "p99 ≤ nginx's")])
    with Hearth(SERVER_CORE, go_state()) as hearth:
        hearth.deploy(function("warm", GO_HELLO, "go", {
            "minReplicas": 1, "maxReplicas": 1, "targetConcurrency": 1000}))
        binary = hearth.go_binary()
        port = free_port()
        env = dict(os.environ, PORT=str(port), TIMEOUT_SECONDS="300", K_SERVICE="warm")
        upstream = "upstream function { server 127.0.0.1:%d; keepalive 256; }" % port
        proxy = ("location / { proxy_pass http://function; proxy_http_version 1.1; "
                 "proxy_set_header Connection ''; }")
        with Process([binary], LOAD_CORE, port, env=env, cwd=binary.parent), \
                nginx(proxy, SERVER_CORE, upstream) as (address, workers):
            for _ in range(settings.rounds):
                ours = hearth_proxy(hearth, settings)
                theirs = load(address, "GET / HTTP/1.1\nHost: warm", settings, 64, workers)
                for side, result in ((0, ours), (1, theirs)):
                    add(rate, side, 1e6 / result["cpu_us"], result)
                    add(chain, side, result["rate"], result, p99=True)
    how = ("The proxy has one core to itself: the gateway, and nginx with one worker. The "
           "function, a Go program, and the load share the other. Hearth speaks frames to it over "
           "a Unix socket; nginx speaks HTTP over TCP to the same program started with PORT. The "
           "other core is full before the proxy is, so what the proxy can do is told by the "
           "processor time of its process alone: the first figure is its inverse. The daemon's "
           "other threads count.")
    return Row("P7", "Warm proxying", how, [rate, chain])


def hearth_proxy(hearth, settings):
    # min-scale keeps one instance; it runs where the load does.
    for pid in descendants(hearth.pid):
        pin_process(pid, LOAD_CORE)
    return load(hearth.address(), hearth.request_head("warm"), settings, 64, [hearth.pid])


def add(figure, side, value, result, p99=False):
    target = figure.hearth if side == 0 else figure.yardsticks[0]
    target.add(value, result["p99_us"] / 1e3 if p99 else None, result["cpu_us"])


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
        hearth.deploy(function("warm", code, language, {
            "minReplicas": 1, "maxReplicas": 1, "targetConcurrency": 1000}))
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
        pids = [hearth.pid, *descendants(hearth.pid)]
        result = load(hearth.address(), hearth.request_head("warm"), settings, connections, pids, 3)
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
