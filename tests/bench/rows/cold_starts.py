"""P1, P2, P3, P5, P6: from zero instances to an answer."""

import pathlib
import threading
import time

from daemon import GO_HELLO, NODE_HELLO, PYTHON_HELLO, Hearth, function, go_state
from measure import (ALL_CORES, LOAD_CORE, SERVER_CORE, Figure, Missing, Row, Side, Target,
                     cpu_seconds, descendants, http_load, tool, wait_until)
from yardsticks import program

# The interpreter that the fork server runs on; one that a shell script finds first is no measure.
PYTHON = "/usr/bin/python3"

HOW = ("The function is scaled to zero and its process is gone; then one request goes through the "
       "gateway on a connection that is open, and the time to the whole answer counts. The fork "
       "server of its language, or the process that waits for a function, is up. The daemon and "
       "what it starts have one core, the client the other. The yardstick starts on the daemon's "
       "core.")


def cold_starts(settings, name, code, language, title, yardstick, targets, prepared=False):
    ours, at_once = Side("Hearth"), Side("Hearth")
    theirs = Side(yardstick[0])
    starts = settings.count(60, 10)

    def measured(wait):
        times = []
        for _ in range(starts):
            hearth.scale_to_zero("cold")
            if wait:
                wait_until(lambda: waits_for_a_function(hearth), 30, "the process that waits")
            times.append(hearth.answer_us("cold", LOAD_CORE) / 1e3)
        return times

    with Hearth(SERVER_CORE, go_state() if language == "go" else None) as hearth:
        hearth.deploy(function("cold", code, language))
        for _ in range(3):  # the fork server and the page cache
            hearth.cold_start_us("cold", LOAD_CORE)
        for _ in range(settings.rounds):
            add_percentiles(ours, measured(prepared))
            if prepared:
                add_percentiles(at_once, measured(False))
            try:
                result = yardstick[1](hearth, starts)
                theirs.add(result["p50_us"] / 1e3, result["p99_us"] / 1e3)
            except Missing as error:
                theirs.missing = str(error)
    figures = [Figure("cold start, " + title, "ms", "lower", ours, [theirs], targets)]
    how = HOW
    if prepared:
        how += (" Before each start the next process is waited for until it waits in turn; the "
                "second figure is without that.")
        figures.append(Figure("one right after the other", "ms", "lower", at_once, [], []))
    return Row(name, "Cold start of a %s function through the gateway" % title, how, figures)


# So long without processor time a process that starts is never: then it waits for its order.
REST_SECONDS = 0.05


def waits_for_a_function(hearth):
    """Whether a process of Node.js that was started ahead is ready: it and all of the daemon's
    other processes sleep and stay asleep. Instances look the same: there must be none.
    """
    below = descendants(hearth.pid)
    if not any(is_node_wrapper(pid) for pid in below):
        return False
    everyone = [hearth.pid, *below]
    before = cpu_seconds(*below)
    if not all(sleeps(pid) for pid in everyone):
        return False
    time.sleep(REST_SECONDS)
    return cpu_seconds(*below) == before and all(sleeps(pid) for pid in everyone)


def is_node_wrapper(pid):
    try:
        return b"/hearth/runtime.js" in pathlib.Path("/proc/%d/cmdline" % pid).read_bytes()
    except OSError:
        return False  # it has just ended


def sleeps(pid):
    """Whether each of its threads does: one that waits for a core has no processor time either."""
    try:
        stats = [path.read_text() for path in pathlib.Path("/proc/%d/task" % pid).glob("*/stat")]
    except OSError:
        return False
    return bool(stats) and all(stat.rsplit(")", 1)[1].split()[0] == "S" for stat in stats)


def add_percentiles(side, values):
    values = sorted(values)
    side.add(values[len(values) // 2], values[min(len(values) - 1, int(len(values) * 0.99))])


def spawn(*command):
    return lambda hearth, rounds: tool("spawn", "--rounds", rounds, "--", *command,
                                       cores=SERVER_CORE)


def p1(settings):
    return cold_starts(
        settings, "P1", PYTHON_HELLO, "python", "Python",
        ("python3 -I -S -c pass", spawn(PYTHON, "-I", "-S", "-c", "pass")),
        [Target("value", "most", 1.5, "≤ 1.5 ms"), Target("p99", "most", 4, "p99 ≤ 4 ms"),
         Target("ratio", "most", 0.3, "≤ 0.3 × python3")])


def p2(settings):
    return cold_starts(
        settings, "P2", NODE_HELLO, "nodejs", "Node.js",
        ("node -e 0", spawn(program("node", "Debian"), "-e", "0")),
        [Target("value", "most", 2.5, "≤ 2.5 ms"), Target("p99", "most", 6, "p99 ≤ 6 ms"),
         Target("ratio", "most", 0.05, "≤ 0.05 × node")], prepared=True)


def p3(settings):
    return cold_starts(
        settings, "P3", GO_HELLO, "go", "Go",
        ("fork + exec of the same binary to its first answer", first_answer_of_binary),
        [Target("value", "most", 1.0, "≤ 1.0 ms"), Target("ratio", "most", 1.7, "≤ 1.7 × exec")])


def first_answer_of_binary(hearth, rounds):
    binary = hearth.go_binary()
    return tool("spawn", "--rounds", rounds, "--first-answer", "--", binary, cores=SERVER_CORE,
                cwd=binary.parent)


HOLD_SECONDS = 1.0
HOLDING = """
import time, uuid
ME = str(uuid.uuid4())

def handler(event):
    time.sleep(%s)
    return ME
""" % HOLD_SECONDS


def p5(settings):
    """100 requests at once, each held so long that no instance can serve two."""
    ours = Side("Hearth")
    theirs = Side("100 starts of python3 -I -S -c pass, two at a time")
    with Hearth(ALL_CORES) as hearth:
        hearth.deploy(function("many", HOLDING, scaling={
            "minReplicas": 0, "maxReplicas": 100, "containerConcurrency": 1,
            "targetConcurrency": 1}))
        for round_number in range(settings.rounds + 1):
            hearth.scale_to_zero("many")
            result = http_load(hearth.address(), [hearth.request_head("many")], "--requests",
                               "100", "--connections", "100", cores=ALL_CORES)
            if round_number == 0:
                continue
            if result["distinct_answers"] != 100:
                ours.note = "%d instances answered, not 100" % result["distinct_answers"]
            ours.add((result["seconds"] - HOLD_SECONDS) * 1e3)
            start = time.monotonic()
            run_two(tool, ("spawn", "--rounds", "50", "--", PYTHON, "-I", "-S", "-c", "pass"))
            theirs.add((time.monotonic() - start) * 1e3)
    how = ("100 requests at once to a function at zero that takes one request an instance and "
           "holds it for a second, so that 100 instances have to answer (the answers name them). "
           "Time to the last answer, less the second. Everything shares two cores.")
    return Row("P5", "From 0 to 100 instances", how, [Figure(
        "0 → 100 instances of one Python function", "ms", "lower", ours, [theirs],
        [Target("value", "most", 250, "≤ 250 ms")])])


def run_two(run, arguments):
    """Twice at the same time, a core each."""
    threads = [threading.Thread(target=run, args=arguments, kwargs={"cores": core})
               for core in ALL_CORES.split(",")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def p6(settings):
    functions = settings.count(200, 40)
    ours = Side("Hearth")
    theirs = Side("python3 with json and http.server imported, two at a time")
    names = ["storm-%d" % i for i in range(functions)]
    with Hearth(ALL_CORES) as hearth:
        hearth.deploy(*[function(name, PYTHON_HELLO) for name in names])
        heads = [hearth.request_head(name) for name in names]
        for round_number in range(settings.rounds + 1):
            hearth.scale_to_zero(*names)
            result = http_load(hearth.address(), heads, "--requests", functions, "--connections",
                               "8", cores=ALL_CORES)
            if round_number == 0:
                continue
            ours.add(result["rate"], result["p99_us"] / 1e3)
            start = time.monotonic()
            run_two(tool, ("spawn", "--rounds", "20", "--", PYTHON, "-c",
                           "import json, http.server"))
            theirs.add(40 / (time.monotonic() - start))
    how = ("%d functions at zero, each asked once, eight requests under way at a time, on two "
           "cores with the client. No request may fail. p99 is that of an answer, in "
           "ms." % functions)
    return Row("P6", "Cold starts a second", how, [Figure(
        "cold starts", "1/s", "higher", ours, [theirs],
        [Target("value", "least", 800, "≥ 800/s")])])


ROWS = {"P1": p1, "P2": p2, "P3": p3, "P5": p5, "P6": p6}
