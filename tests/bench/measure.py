"""What all rows of the benchmark share: cores, processor time, memory, load tools, figures.

Processor time comes from /proc/PID/task/*/schedstat, which counts nanoseconds; the ticks of
/proc/PID/stat miss most of a process that runs in short bursts.
"""

import dataclasses
import json
import os
import pathlib
import socket
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HEARTH_BENCH_BUILD", ROOT / "build/release"))
BINARY = BUILD / "hearth"
TOOLS = BUILD / "bench"
HOME = ROOT / "build/bench"

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = str(CORES[-1])
LOAD_CORE = str(CORES[0])
ALL_CORES = ",".join(str(core) for core in CORES[:2])


class Missing(Exception):
    """A yardstick or a part of ours that is not there; the row says why instead of a figure."""


def quotient(ours, theirs):
    """None where there is nothing to divide by: a yardstick of zero is below what was measured."""
    return ours / theirs if ours is not None and theirs and theirs >= 0.01 else None


@dataclasses.dataclass
class Settings:
    quick: bool = False

    @property
    def rounds(self):
        return 1 if self.quick else 5

    def seconds(self, full):
        """How long one load of a round runs."""
        return 1.0 if self.quick else full

    def count(self, full, quick):
        return quick if self.quick else full


@dataclasses.dataclass
class Side:
    """One competitor's values, one a round."""
    name: str
    values: list = dataclasses.field(default_factory=list)
    p99: list = dataclasses.field(default_factory=list)
    cpu_us: list = dataclasses.field(default_factory=list)
    missing: str = ""
    note: str = ""

    def add(self, value, p99=None, cpu_us=None):
        self.values.append(value)
        if p99 is not None:
            self.p99.append(p99)
        if cpu_us is not None:
            self.cpu_us.append(cpu_us)

    def median(self):
        return statistics.median(self.values) if self.values else None

    def median_p99(self):
        return statistics.median(self.p99) if self.p99 else None

    def median_cpu(self):
        return statistics.median(self.cpu_us) if self.cpu_us else None


@dataclasses.dataclass
class Target:
    """`of`: value, p99, ratio (to the first yardstick), p99_ratio. `at`: "most" or "least"."""
    of: str
    at: str
    bound: float
    text: str


@dataclasses.dataclass
class Figure:
    name: str
    unit: str
    better: str  # "lower" or "higher"
    hearth: Side
    yardsticks: list = dataclasses.field(default_factory=list)
    targets: list = dataclasses.field(default_factory=list)

    def measured(self, of):
        first = self.yardsticks[0] if self.yardsticks else Side("")
        ours = self.hearth.median_p99() if of.startswith("p99") else self.hearth.median()
        theirs = first.median_p99() if of.startswith("p99") else first.median()
        if not of.endswith("ratio"):
            return ours
        return quotient(ours, theirs)

    def verdict(self, target):
        value = self.measured(target.of)
        if value is None:
            return "not measured"
        met = value <= target.bound if target.at == "most" else value >= target.bound
        return "met" if met else "missed"

    def as_json(self):
        def side(s):
            return {"name": s.name, "median": s.median(), "p99": s.median_p99(),
                    "cpu_us_per_request": s.median_cpu(), "rounds": s.values, "note": s.note,
                    **({"missing": s.missing} if s.missing else {})}
        return {"name": self.name, "unit": self.unit, "better": self.better,
                "hearth": side(self.hearth), "yardsticks": [side(s) for s in self.yardsticks],
                "ratio": self.measured("ratio"),
                "targets": [{"of": t.of, "text": t.text, "bound": t.bound, "at": t.at,
                             "verdict": self.verdict(t)} for t in self.targets]}


@dataclasses.dataclass
class Row:
    name: str
    title: str
    how: str
    figures: list


def pinned(cores, command):
    return ["taskset", "-c", str(cores), *[str(word) for word in command]]


def tool(name, *arguments, cores=LOAD_CORE, timeout=300, **options):
    """Runs a load generator and returns its JSON."""
    program = TOOLS / ("hearth_bench_" + name)
    if not program.exists():
        raise Missing("%s was not built" % program.name)
    done = subprocess.run(pinned(cores, [program, *arguments]), capture_output=True, text=True,
                          timeout=timeout, **options)
    if done.returncode != 0:
        raise RuntimeError("%s: %s" % (program.name, done.stderr.strip() or done.stdout.strip()))
    return json.loads(done.stdout)


def http_load(address, heads, *arguments, **options):
    """`heads`: request heads as text."""
    with tempfile.NamedTemporaryFile("w", suffix=".heads", dir=HOME) as file:
        file.write("\n--\n".join(heads))
        file.flush()
        result = tool("http", "--address", address, "--heads", file.name, *arguments, **options)
    if result["failed"]:
        raise RuntimeError("%d of %d requests failed: %s" % (
            result["failed"], result["requests"], result["first_error"]))
    return result


def cpu_seconds(*pids):
    total = 0
    for pid in pids:
        for task in pathlib.Path("/proc/%d/task" % pid).glob("*/schedstat"):
            try:
                total += int(task.read_text().split()[0])
            except (OSError, IndexError):
                pass  # a thread that just ended
    return total / 1e9


def descendants(pid):
    """All processes below one, itself not among them."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rsplit(")", 1)[1].split()[1])
    found, waiting = [], [pid]
    while waiting:
        above = waiting.pop()
        below = [child for child, parent in parents.items() if parent == above]
        found += below
        waiting += below
    return found


def memory_mb(pid, field="Rss"):
    """Rss or Pss of a process, in MB of 10^6 bytes."""
    for line in pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024 / 1e6
    raise Missing("no %s of process %d" % (field, pid))


def peak_mb(pid):
    for line in pathlib.Path("/proc/%d/status" % pid).read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise Missing("no peak of process %d" % pid)


def pin_process(pid, cores):
    wanted = {int(core) for core in str(cores).split(",")}
    for task in pathlib.Path("/proc/%d/task" % pid).iterdir():
        try:
            os.sched_setaffinity(int(task.name), wanted)
        except ProcessLookupError:
            pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds, what, interval=0.005):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(interval)
    raise RuntimeError("waited %s s for %s" % (seconds, what))


def port_answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Process:
    """A server of the benchmark, ended with its block."""

    def __init__(self, command, cores=ALL_CORES, port=None, seconds=60, env=None, cwd=None):
        HOME.mkdir(parents=True, exist_ok=True)
        self.log = HOME / (pathlib.Path(str(command[0])).name + ".log")
        self.command, self.cores, self.port, self.seconds = command, cores, port, seconds
        self.env, self.cwd, self.process = env, cwd, None

    def __enter__(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                pinned(self.cores, self.command), stdout=log, stderr=log, env=self.env,
                cwd=self.cwd, stdin=subprocess.DEVNULL)
        try:
            if self.port:
                wait_until(lambda: port_answers(self.port) or self.process.poll() is not None,
                           self.seconds, "port %d of %s" % (self.port, self.command[0]))
            if self.process.poll() is not None:
                raise Missing("%s ended at once, see %s" % (self.command[0], self.log))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            children = descendants(self.process.pid)
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            for child in children:
                try:
                    os.kill(child, 9)
                except ProcessLookupError:
                    pass

    @property
    def pid(self):
        return self.process.pid

    def pids(self):
        return [self.pid, *descendants(self.pid)]


def warm_load(pids, address, heads, seconds, *arguments):
    """A load of some seconds, measured after half a second of the same that counts for nothing:
    the processor time of a warm-up must not stand beside requests that leave it out."""
    def run(length):
        return http_load(address, heads, "--seconds", length, *arguments)
    run(0.5)
    return measured_with_cpu(pids, lambda: run(seconds))


# No server answers a request or takes a message in less; what shows less is not what served.
LEAST_CPU_US = 1.0


def measured_with_cpu(pids, load, count="requests"):
    """Runs `load` and adds the processor time that the processes spent on each of what it counts.

    `pids` is asked before and after: a worker that is forked in between counts as well.
    """
    before = cpu_seconds(*pids())
    result = load()
    result["cpu_us"] = (cpu_seconds(*pids()) - before) * 1e6 / max(1, result[count])
    if result["cpu_us"] < LEAST_CPU_US:
        raise RuntimeError("%.2f µs of processor time for each of %d %s: processes %s did not "
                           "serve them" % (result["cpu_us"], result[count], count, pids()))
    return result
