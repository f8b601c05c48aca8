"""P14 to P19: the daemon as a whole: edits, start, memory, many functions, size."""

import http.client
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

from daemon import FUNCTIONS, NODE_HELLO, PYTHON_HELLO, Hearth, function
from measure import (ALL_CORES, BINARY, HOME, Figure, Missing, Process, Row, Side, Target,
                     descendants, free_port, http_load, memory_mb, pinned)
from yardsticks import buildah_build_seconds, workerd_command, workerd_program


# P14

def versioned(number):
    return "def handler(event):\n    return 'version %d'\n" % number


def edit_to_answer_ms(hearth, api, number):
    """From sending the edit to the first answer of the new code."""
    connection = http.client.HTTPConnection(hearth.address(), timeout=30)
    start = time.monotonic()
    api.call("PATCH", FUNCTIONS + "/edited",
             {"spec": {"source": {"inline": {"code": versioned(number)}}}},
             "application/merge-patch+json")
    wanted = b"version %d" % number
    while time.monotonic() - start < 30:
        connection.request("GET", "/", headers={"Host": "edited.default.localhost"})
        if connection.getresponse().read().strip(b'"') == wanted:
            return (time.monotonic() - start) * 1e3
        time.sleep(0.001)
    raise RuntimeError("the edit did not answer in 30 s")


def buildah_ms(number):
    folder = HOME / "buildah-context"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Dockerfile").write_text("FROM scratch\nWORKDIR /app\nCOPY . .\n"
                                       'CMD ["python3", "runtime.py"]\n')
    (folder / "main.py").write_text(versioned(number))
    return buildah_build_seconds(folder) * 1e3


def p14(settings):
    ours, theirs = Side("Hearth"), Side("buildah, the same files, image only")
    number = 0
    with Hearth(ALL_CORES) as hearth:
        hearth.deploy(function("edited", versioned(0)))
        api = hearth.api()
        for _ in range(settings.rounds):
            values = []
            for _ in range(settings.count(10, 3)):
                number += 1
                values.append(edit_to_answer_ms(hearth, api, number))
            ours.add(sorted(values)[len(values) // 2], max(values))
            try:
                if not theirs.missing:
                    theirs.add(buildah_ms(number))
            except Missing as error:
                theirs.missing = str(error)
    how = ("The spec's inline code is patched over the Kubernetes API; the clock stops when a "
           "request gets the new code's answer: image built, revision made, instance ready, route "
           "switched. p99 is the slowest of a round. buildah only builds the image, from scratch, "
           "without a registry and a rollout.")
    hot = Side("Hearth", missing="not there: every edit makes an image and a revision")
    return Row("P14", "Edit to answer", how, [
        Figure("inline Python edit → new revision answers", "ms", "lower", ours, [theirs],
               [Target("value", "most", 150, "≤ 150 ms")]),
        Figure("hot reload", "ms", "lower", hot, [], [Target("value", "most", 10, "≤ 10 ms")])])


# P15

def first_answer_ms(command, asks):
    """Starts a server and asks every port until all have answered; ends it."""
    left = list(asks)
    log = open(HOME / "start.log", "ab")
    start = time.monotonic()
    process = subprocess.Popen(pinned(ALL_CORES, command), stdout=log, stderr=log)
    try:
        while left and time.monotonic() - start < 30:
            left = [ask for ask in left if not ask()]
            if left:
                time.sleep(0.0005)
        if left:
            raise RuntimeError("%s did not answer in 30 s" % command[0])
        return (time.monotonic() - start) * 1e3
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def asks_http(port, path="/", tls=False):
    """Whether an HTTP answer of any status came."""
    def ask():
        try:
            plain = socket.create_connection(("127.0.0.1", port), 2)
        except OSError:
            return False
        try:
            if tls:
                plain = ssl._create_unverified_context().wrap_socket(plain)
            plain.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
            return plain.recv(16).startswith(b"HTTP/1.1")
        except OSError:
            return False
        finally:
            plain.close()
    return ask


def hearth_start_ms(folder):
    gateway, api, s3, registry = (free_port() for _ in range(4))
    command = [BINARY, "up", "--state", folder, "--port", gateway, "--api-port", api, "--s3-port",
               s3, "--registry-port", registry]
    return first_answer_ms([str(word) for word in command],
                           [asks_http(gateway, "/healthz"), asks_http(api, "/version", tls=True),
                            asks_http(s3), asks_http(registry, "/v2/")])


def p15(settings):
    again = Figure("start with a state folder that exists", "ms", "lower", Side("Hearth"),
                   [Side("workerd with one worker")], [Target("value", "most", 30, "≤ 30 ms")])
    first = Figure("first start: state folder, certificates, kinds", "ms", "lower", Side("Hearth"),
                   [Side("workerd with one worker")], [])
    HOME.mkdir(parents=True, exist_ok=True)
    for _ in range(settings.rounds):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="start-", dir=HOME))
        first.hearth.add(hearth_start_ms(folder / "state"))
        for _ in range(settings.count(5, 2)):
            again.hearth.add(hearth_start_ms(folder / "state"))
        shutil.rmtree(folder, ignore_errors=True)
        for _ in range(settings.count(5, 2)):
            add_workerd_start(again, first)
    how = ("From fork of `hearth up` until gateway, Kubernetes API (over TLS), object store and "
           "registry have each answered an HTTP request. Functions: none. workerd: until its "
           "worker has answered.")
    return Row("P15", "Start", how, [again, first])


def add_workerd_start(*figures):
    try:
        port = free_port()
        value = first_answer_ms(workerd_command(port), [asks_http(port)])
    except Missing as error:
        for figure in figures:
            figure.yardsticks[0].missing = str(error)
        return
    for figure in figures:
        figure.yardsticks[0].add(value)


# P16, P17

def workerd_memory():
    port = free_port()
    with Process(workerd_command(port), ALL_CORES, port) as process:
        http_load("127.0.0.1:%d" % port, ["GET / HTTP/1.1\nHost: bench"], "--requests", "10")
        return sum(memory_mb(pid) for pid in process.pids())


def p16(settings):
    steps = [(0, 15), (50, None)] if settings.quick else [(0, 15), (100, 18), (1000, 30)]
    figures = []
    for _ in range(1 if settings.quick else 3):
        with Hearth(ALL_CORES) as hearth:
            for index, (functions, bound) in enumerate(steps):
                if len(figures) <= index:
                    figures.append(Figure(
                        "daemon, %d functions at zero" % functions, "MB", "lower", Side("Hearth"),
                        [Side("workerd with one worker")],
                        [Target("value", "most", bound, "≤ %d MB" % bound)] if bound else []))
                deploy_up_to(hearth, functions)
                figures[index].hearth.add(memory_mb(hearth.pid))
                servers = [memory_mb(pid, "Pss") for pid in descendants(hearth.pid)]
                if servers:
                    figures[index].hearth.note = (
                        "fork servers beside it: %.1f MB PSS" % sum(servers))
        try:
            workerd = workerd_memory()
            for figure in figures:
                figure.yardsticks[0].add(workerd)
        except Missing as error:
            for figure in figures:
                figure.yardsticks[0].missing = str(error)
    how = ("Resident memory of the daemon's process a second after the last function's instance "
           "has gone; nothing runs but the fork servers, which are named beside it. workerd: "
           "resident memory with one warm worker.")
    return Row("P16", "Idle memory", how, figures)


def deploy_up_to(hearth, count):
    there = len(hearth.api().call("GET", FUNCTIONS)["items"])
    names = ["idle-%04d" % i for i in range(there, count)]
    for start in range(0, len(names), 50):  # never many instances at the same time
        part = names[start:start + 50]
        hearth.deploy(*[function(name, PYTHON_HELLO) for name in part])
        hearth.scale_to_zero(*part)
    time.sleep(1)


def own_process_pss(hearth, language):
    """The same wrapper as a process of its own, warm, in its container's mode."""
    command = {"python": ["/usr/bin/python3", "runtime.py"], "nodejs": ["node", "runtime.js"]}
    for folder in hearth.app_folders():
        if (folder / command[language][1]).exists():
            port = free_port()
            env = dict(os.environ, PORT=str(port), LAMBDA_HANDLER="", K_SERVICE="bench",
                       HANDLER="main.handler" if language == "python" else "index.handler")
            with Process(command[language], ALL_CORES, port, env=env, cwd=folder) as process:
                http_load("127.0.0.1:%d" % port, ["GET / HTTP/1.1\nHost: bench"], "--requests",
                          "20")
                return sum(memory_mb(pid, "Pss") for pid in process.pids())
    raise Missing("no image of a %s function" % language)


def warm_pss(hearth, names, program):
    for name in names:
        http_load(hearth.address(), [hearth.request_head(name)], "--requests", "20")
    time.sleep(1)
    instances = instance_processes(hearth, program)
    if len(instances) < len(names):
        raise RuntimeError("%d instances of %d found" % (len(instances), len(names)))
    return sum(memory_mb(pid, "Pss") for pid in instances) / len(names)


def instance_processes(hearth, program):
    """Processes that serve: the fork servers stand directly below the daemon and are none."""
    found = []
    for pid in descendants(hearth.pid):
        text = pathlib.Path("/proc/%d/status" % pid).read_text()
        fork_server = b"zygote" in pathlib.Path("/proc/%d/cmdline" % pid).read_bytes() and \
            "\nPPid:\t%d\n" % hearth.pid in text
        if program in text.splitlines()[0].lower() and not fork_server:
            found.append(pid)
    return found


def p17(settings):
    figures = []
    count = settings.count(20, 5)
    for language, code, program, bound in (("python", PYTHON_HELLO, "python", 2.5),
                                           ("nodejs", NODE_HELLO, "node", 3.0)):
        figure = Figure("one warm idle %s function, PSS" % language, "MB", "lower", Side("Hearth"),
                        [Side("the same wrapper as a process of its own")],
                        [Target("value", "most", bound, "≤ %s MB" % bound)])
        figures.append(figure)
        names = ["warm-%d" % i for i in range(count)]
        with Hearth(ALL_CORES) as hearth:
            hearth.deploy(*[function(name, code, language) for name in names])
            for _ in range(1 if settings.quick else 3):
                figure.hearth.add(warm_pss(hearth, names, program))
                try:
                    figure.yardsticks[0].add(own_process_pss(hearth, language))
                except Missing as error:
                    figure.yardsticks[0].missing = str(error)
    how = ("Proportional set size of the instances of %d functions, a second after 20 requests "
           "each, divided by their number; the fork server is not among them. The yardstick is "
           "one process that runs the same wrapper and handler without a fork server." % count)
    return Row("P17", "Memory of a warm function", how, figures)


# P18

def p18(settings):
    few, many = (20, 60) if settings.quick else (100, 1000)
    total = Figure("%d functions of the same source, all Ready" % many, "s", "lower",
                   Side("Hearth"), [],
                   [] if settings.quick else [Target("value", "most", 5, "≤ 5 s")])
    each = Figure("one function of %d, against one of %d" % (many, few), "ms", "lower",
                  Side("Hearth, %d" % many), [Side("Hearth, %d" % few)],
                  [Target("ratio", "most", 1.3, "flat: ≤ 1.3 ×")])
    applied = Figure("accepted by the API, of that", "s", "lower", Side("Hearth"), [], [])
    for _ in range(settings.count(3, 1)):
        with Hearth(ALL_CORES) as hearth:
            _, smaller = hearth.deploy(*[function("few-%d" % i, PYTHON_HELLO) for i in range(few)])
        with Hearth(ALL_CORES) as hearth:
            created, ready = hearth.deploy(
                *[function("many-%d" % i, PYTHON_HELLO) for i in range(many)])
        total.hearth.add(ready)
        applied.hearth.add(created)
        each.hearth.add(ready / many * 1e3)
        each.yardsticks[0].add(smaller / few * 1e3)
    how = ("An empty daemon gets the manifests over eight connections to its Kubernetes API. "
           "Ready is the phase of the LambdaFunction. All have the same code, so one image serves "
           "all; every revision still starts an instance once.")
    return Row("P18", "Many functions at once", how, [total, applied, each])


# P19

def p19(settings):
    HOME.mkdir(parents=True, exist_ok=True)
    stripped = HOME / "hearth-stripped"
    subprocess.run(["strip", "-o", str(stripped), str(BINARY)], check=True)
    libraries = subprocess.run(["ldd", str(BINARY)], check=True, capture_output=True, text=True)
    lines = [line.split()[0] for line in libraries.stdout.splitlines() if "=>" in line]
    size = Figure("the binary, stripped", "MB", "lower", Side("Hearth"), [Side("workerd")],
                  [Target("value", "most", 15, "≤ 15 MB")])
    size.hearth.add(stripped.stat().st_size / 1e6)
    count = Figure("shared libraries that it needs", "", "lower", Side("Hearth"), [Side("workerd")],
                   [])
    count.hearth.add(len(lines))
    count.hearth.note = " ".join(sorted(lines))
    try:
        workerd = workerd_program()
        size.yardsticks[0].add(workerd.stat().st_size / 1e6)
        theirs = subprocess.run(["ldd", str(workerd)], capture_output=True, text=True).stdout
        count.yardsticks[0].add(theirs.count("=>"))
    except Missing as error:
        size.yardsticks[0].missing = count.yardsticks[0].missing = str(error)
    stripped.unlink()
    return Row("P19", "The binary", "`strip` of the release build; libraries as `ldd` names them.",
               [size, count])


ROWS = {"P14": p14, "P15": p15, "P16": p16, "P17": p17, "P18": p18, "P19": p19}
