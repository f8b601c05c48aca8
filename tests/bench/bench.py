"""Measures Hearth against its yardsticks: see README.md beside this file.

    scripts/bench                 all rows, below 30 minutes on two cores
    scripts/bench P7 P10          some rows; the others keep their last figures
    scripts/bench sizes           cost against size; takes long, not part of all rows
    scripts/bench --quick         a smoke run of small loads
    scripts/bench --report        only writes docs/performance.md from the last figures
"""

import argparse
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import measure  # noqa: E402
import report  # noqa: E402
from rows import cold_starts, events, objects, sizes, warm, whole_daemon  # noqa: E402

ROWS = {**cold_starts.ROWS, **warm.ROWS, **events.ROWS, **objects.ROWS, **whole_daemon.ROWS}
EXTRA = sizes.ROWS
RESULTS = measure.HOME / "results.json"


def order(name):
    return (0, int(name[1:])) if name[1:].isdigit() else (1, name)


def first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return (done.stdout + done.stderr).strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "not there"


def flush_us():
    """Median of appending 4 KiB and flushing it: without it a durable figure says nothing."""
    with tempfile.NamedTemporaryFile(dir=measure.HOME) as file:
        times = []
        for _ in range(300):
            start = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - start) * 1e6)
    return sorted(times)[len(times) // 2]


def commit():
    return first_line(["git", "-C", str(measure.ROOT), "rev-parse", "--short", "HEAD"])


def machine():
    model = next((line.split(":", 1)[1].strip() for line in
                  pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {"processor": model, "cores": len(measure.CORES), "memory_gb": round(memory, 1),
            "kernel": platform.release(), "flush_us": round(flush_us(), 1),
            "load_at_start": round(os.getloadavg()[0], 2),
            "commit": commit(),
            "python3": first_line(["/usr/bin/python3", "--version"]),
            "node": first_line(["node", "--version"]), "go": first_line(["go", "version"]),
            "nginx": first_line(["/usr/sbin/nginx", "-v"]),
            "rabbitmq": first_line(["dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server"])}


def stored():
    """What was measured last, row by row: here, or by whoever wrote the document. A run of a few
    rows must not lose the others."""
    out = {"rows": {}}
    for path in (report.RESULTS, RESULTS):
        try:
            found = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        rows = out["rows"]
        rows.update({name: row for name, row in found["rows"].items()
                     if name not in rows or rows[name]["at"] <= row["at"]})
        out = {**out, **found, "rows": rows}
    return out


def run_row(name, settings):
    started = time.monotonic()
    try:
        row = {**ROWS, **EXTRA}[name](settings)
        out = {"title": row.title, "how": row.how,
               "figures": [figure.as_json() for figure in row.figures]}
    except Exception as error:  # a row that can't be measured must not end the others
        traceback.print_exc()
        out = {"title": name, "how": "", "figures": [], "error": "%s: %s" % (
            type(error).__name__, str(error).splitlines()[0] if str(error) else "")}
    out["seconds"] = round(time.monotonic() - started, 1)
    out["quick"] = settings.quick
    out["at"] = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    out["commit"] = commit()
    return out


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="P1 … P19, sizes, sizes-objects …")
    parser.add_argument("--quick", action="store_true", help="small loads, one round")
    parser.add_argument("--report", action="store_true", help="only write the document")
    parser.add_argument("--no-report", action="store_true", help="leave docs/performance.md alone")
    options = parser.parse_args()
    if "sizes" in options.names:
        options.names = [name for name in options.names if name != "sizes"] + list(EXTRA)
    unknown = [name for name in options.names if name not in ROWS and name not in EXTRA]
    if unknown:
        parser.error("unknown row %s; there are %s" % (
            unknown[0], " ".join(sorted([*ROWS, *EXTRA], key=order))))
    # Ended from outside, the servers of the row under way must end too.
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(143))
    measure.HOME.mkdir(parents=True, exist_ok=True)
    results = stored()
    failed = False
    if not options.report:
        names = options.names or sorted(ROWS, key=order)
        settings = measure.Settings(quick=options.quick)
        if not options.names or "machine" not in results:  # a row of another run says so itself
            results["machine"] = machine()
        for name in names:
            print("== %s" % name, file=sys.stderr, flush=True)
            row = results["rows"][name] = run_row(name, settings)
            failed = failed or "error" in row
            print(report.row_text(name, row), flush=True)
            RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    if not options.no_report and not (options.quick and not options.report):
        report.write(results, measure.ROOT / "docs")
        print("docs/performance.md written", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
