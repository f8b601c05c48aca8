"""Tables for the terminal, docs/performance.md and its charts, from results.json and notes.md."""

import html
import json
import pathlib
import re

from measure import quotient

NOTES = pathlib.Path(__file__).resolve().parent / "notes.md"
# What docs/performance.md shows, beside its charts.
RESULTS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "performance" / "results.json"

INK, HEARTH, OTHER, TARGET, PAPER = "#1f2933", "#c2410c", "#94a3b8", "#15803d", "#ffffff"
WIDTH, LABEL_WIDTH, BAR_HEIGHT, GAP = 760, 250, 20, 8


def number(value, unit=""):
    if value is None:
        return "–"
    if value >= 1000:
        text = "{:,.0f}".format(value)
    elif value >= 100:
        text = "%.0f" % value
    elif value >= 10:
        text = "%.1f" % value
    else:
        text = "%.2f" % value
    return (text + " " + unit).strip()


def side_text(side, unit):
    if side.get("missing") and side["median"] is None:
        return side["missing"] if side["missing"].startswith("not there") else \
            "yardstick missing: " + side["missing"]
    return number(side["median"], unit)


def verdict_text(figure):
    return "; ".join("%s: %s" % (target["text"], target["verdict"])
                     for target in figure["targets"]) or "–"


HEADINGS = ("figure", "Hearth", "p99", "CPU µs/req", "yardstick", "", "p99", "CPU µs/req", "ratio",
            "target")


def ratio_text(ours, other, ratio):
    """The ratio of the medians, and the lowest and highest of the rounds that ran in turn."""
    rounds = [quotient(*pair) for pair in zip(ours["rounds"], other["rounds"])] if other else []
    if len(rounds) < 2 or len(ours["rounds"]) != len(other["rounds"]) or None in rounds:
        return number(ratio)
    return "%s (%s–%s)" % (number(ratio), number(min(rounds)), number(max(rounds)))


def table(row):
    """Rows of cells: a line a figure, one more for each further yardstick."""
    lines = []
    for figure in row["figures"]:
        ours, unit = figure["hearth"], figure["unit"]
        others = figure["yardsticks"] or [None]
        for index, other in enumerate(others):
            left = [figure["name"], side_text(ours, unit), number(ours["p99"]),
                    number(ours["cpu_us_per_request"])] if index == 0 else ["", "", "", ""]
            right = [other["name"], side_text(other, unit), number(other["p99"]),
                     number(other["cpu_us_per_request"])] if other else ["–", "–", "–", "–"]
            ratio = figure["ratio"] if index == 0 else quotient(ours["median"], other["median"])
            lines.append(left + right + [ratio_text(ours, other, ratio),
                                         verdict_text(figure) if index == 0 else ""])
    return lines


def row_text(name, row):
    out = ["%s  %s  (%s s%s)" % (name, row["title"], row["seconds"],
                                 ", quick" if row["quick"] else "")]
    if "error" in row:
        out.append("  could not be measured: " + row["error"])
    lines = [list(HEADINGS), *table(row)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    if row["figures"]:
        out += ["  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
                for line in lines]
    for figure in row["figures"]:
        for side in [figure["hearth"], *figure["yardsticks"]]:
            if side["note"]:
                out.append("  note: %s, %s: %s" % (figure["name"], side["name"], side["note"]))
    return "\n".join(out) + "\n"


# Charts

def bars(figure):
    """(label, value, colour) of what was measured."""
    out = []
    for side, colour in [(figure["hearth"], HEARTH)] + [(s, OTHER) for s in figure["yardsticks"]]:
        if side["median"] is not None:
            out.append((side["name"], side["median"], colour))
    return out


def target_value(figure):
    for target in figure["targets"]:
        if target["of"] == "value":
            return target["bound"]
        first = figure["yardsticks"][0]["median"] if figure["yardsticks"] else None
        if target["of"] == "ratio" and first:
            return target["bound"] * first
    return None


def text(x, y, content, size=12, weight="normal", anchor="start", colour=INK):
    return ('<text x="%.1f" y="%.1f" font-size="%d" font-weight="%s" text-anchor="%s" '
            'fill="%s">%s</text>' % (x, y, size, weight, anchor, colour, html.escape(content)))


def figure_svg(figure, y):
    """The bars of one figure from y downward; returns (elements, next y)."""
    items = bars(figure)
    goal = target_value(figure)
    out = [text(10, y + 14, "%s (%s)" % (figure["name"], (figure["unit"] + ", " if figure["unit"]
                                                          else "") + figure["better"] +
                                         " is better"), 13, "bold")]
    y += 24
    top = max([value for _, value, _ in items] + [goal or 0]) or 1
    room = WIDTH - LABEL_WIDTH - 110
    first = y
    for label, value, colour in items:
        width = max(1.0, room * value / top)
        out.append(text(LABEL_WIDTH - 8, y + 14, label[:38], 11, anchor="end"))
        out.append('<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s"/>' % (
            LABEL_WIDTH, y, width, BAR_HEIGHT, colour))
        out.append(text(LABEL_WIDTH + width + 6, y + 14, number(value), 11))
        y += BAR_HEIGHT + GAP
    if goal is not None and items:
        x = LABEL_WIDTH + room * goal / top
        out.append('<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="%s" stroke-width="2" '
                   'stroke-dasharray="4 3"/>' % (x, x, first - 3, y - GAP + 3, TARGET))
    return out, y + 12


def row_svg(name, row):
    elements, y = [text(10, 22, "%s  %s" % (name, row["title"]), 15, "bold")], 38
    for figure in row["figures"]:
        if bars(figure):
            part, y = figure_svg(figure, y)
            elements += part
    head = ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%.0f" '
            'viewBox="0 0 %d %.0f" font-family="sans-serif">' % (WIDTH, y, WIDTH, y))
    return "\n".join([head, '<rect width="100%%" height="100%%" fill="%s"/>' % PAPER,
                      *elements, "</svg>"]) + "\n"


# The document

INTRODUCTION = """# Performance

Written by `scripts/bench` from `performance/results.json`; don't edit it by hand. The rows are the
targets that Hearth has set itself, each beside a yardstick that ran on the same machine, in turn
with Hearth, in the same run.

## How to read it

- A value is the **median of rounds**; in each round yardstick and Hearth run one after the other.
  p99 is the median of the rounds' 99th percentiles: in the figure's unit where that is a time, else
  in milliseconds.
- **ratio** is Hearth divided by the yardstick. Where lower is better, below 1 is better. In
  brackets stand the lowest and the highest ratio of a round: a bound between them is met or missed
  by chance.
- Below a table stand, where a target is missed, what stands in the way and what design would get
  there, and what was mended, with the figures before and after. These are notes written by hand
  (`tests/bench/notes.md`); their figures are of the runs that they tell of.
- **CPU µs/req** is the processor time of the server's processes for one request (from
  `/proc/PID/task/*/schedstat`). It varies far less than a rate and depends less on who else wants
  the machine: trust it first.
- In the charts Hearth is orange, yardsticks are grey, the dashed line is the target.
- A yardstick that could not be installed is named with the reason; a figure that could not be taken
  is not there. A row that was measured at another commit than the rest says so.
- **met** and **missed** say what this run found. Other machines find other times; ratios travel
  better.

To measure again: `scripts/bench` (below 30 minutes, two cores, nothing else running),
`scripts/bench P7` for a row, `scripts/bench sizes` for cost against size.
"""


def machine_text(results):
    m = results.get("machine", {})
    if not m:
        return ""
    out = ["## Machine\n",
           "%s, %s cores, %s GB, Linux %s. Commit %s. %s; Node.js %s; %s; %s; RabbitMQ %s." % (
               m["processor"], m["cores"], m["memory_gb"], m["kernel"], m["commit"], m["python3"],
               m["node"], m["go"], m["nginx"], m["rabbitmq"]),
           "Appending 4 KiB and flushing it takes %s µs at the median here. A disk of a laptop "
           "takes 0.3 to 3 ms: durable rates of single writers fall with it, those of many less, "
           "because one flush serves all that wait." % m["flush_us"]]
    if m["load_at_start"] > 0.5:
        out.append("**The machine was not quiet: load %s at the start.** Times are upper bounds." %
                   m["load_at_start"])
    return "\n".join(out) + "\n"


def read_notes(path=NOTES):
    """The text of each section "## ROW"; what comes before the first is for who writes them."""
    parts = re.split(r"^## (\S+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    names = parts[::2]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError("%s: two sections of %s" % (path, ", ".join(twice)))
    return {name: body.strip() for name, body in zip(names, parts[1::2])}


def row_markdown(name, row, commit, notes):
    out = ["## %s: %s\n" % (name, row["title"])]
    if "error" in row:
        return "\n".join(out + ["Could not be measured: %s\n" % row["error"], *notes_text(notes)])
    if row.get("commit", commit) != commit:
        out.append("*Measured in another run, of commit %s (%s).*\n" % (row["commit"], row["at"]))
    if row["quick"]:
        out.append("*A smoke run of small loads: not for comparison.*\n")
    out.append(row["how"] + "\n")
    out.append("| " + " | ".join(HEADINGS) + " |")
    out.append("|" + "---|" * len(HEADINGS))
    out += ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
            for line in table(row)]
    out.append("")
    for figure in row["figures"]:
        for side in [figure["hearth"], *figure["yardsticks"]]:
            if side["note"]:
                out.append("%s, %s: %s.\n" % (figure["name"], side["name"], side["note"]))
    out += notes_text(notes)
    if any(bars(figure) for figure in row["figures"]):
        out.append("![%s](performance/%s.svg)\n" % (row["title"], name.lower()))
    return "\n".join(out)


def notes_text(notes):
    return [notes + "\n"] if notes else []


def summary(rows):
    out = ["## Summary\n", "| row | figure | Hearth | yardstick | ratio | target |",
           "|---|---|---|---|---|---|"]
    for name, row in rows:
        if "error" in row:
            out.append("| %s | could not be measured: %s | – | – | – | – |" % (name, row["error"]))
        for figure in row["figures"]:
            if not figure["targets"]:
                continue
            first = figure["yardsticks"][0] if figure["yardsticks"] else None
            theirs = "%s: %s" % (first["name"], side_text(first, figure["unit"])) if first else "–"
            out.append("| %s | %s | %s | %s | %s | %s |" % (
                name, figure["name"], side_text(figure["hearth"], figure["unit"]), theirs,
                number(figure["ratio"]),
                "smoke run, no verdict" if row["quick"] else verdict_text(figure)))
    return "\n".join(out) + "\n"


def write(results, docs):
    key = lambda item: (0, int(item[0][1:])) if item[0][1:].isdigit() else (1, item[0])
    rows = sorted(results["rows"].items(), key=key)
    folder = docs / "performance"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    for name, row in rows:
        if any(bars(figure) for figure in row["figures"]):
            (folder / (name.lower() + ".svg")).write_text(row_svg(name, row), encoding="utf-8")
    parts = [INTRODUCTION, machine_text(results), summary(rows)]
    commit = results.get("machine", {}).get("commit")
    notes = read_notes()
    parts += [row_markdown(name, row, commit, notes.get(name, "")) for name, row in rows]
    (docs / "performance.md").write_text("\n".join(parts), encoding="utf-8")
    (folder / RESULTS.name).write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n",
                                       encoding="utf-8")
