"""clang-tidy over the whole tree, in batches.

Most of its time goes into the headers of Boost and JSON, again for every file. So the sources of a
folder that were compiled alike are included into one file and looked at together; a file that can't
stand beside the others (a name in an unnamed namespace that another has too) is looked at after
them. Two cores need 25 minutes instead of two hours.

An included source is a header to clang-tidy: HeaderFilterRegex must name its folder, and checks
that look at a main file only say nothing. Such is misc-unused-using-decls, so it goes over the
files with such declarations one by one (a minute). The fuzzers are in no release build and not
looked at.

    clang_tidy.py BUILD_FOLDER
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BATCH = 12
# The batches include sources; <yaml.h> would find platform/base/yaml.h in one.
CHECKS = "-bugprone-suspicious-include"
MAIN_FILE_CHECKS = "-*,misc-unused-using-decls"
USING = re.compile(r"^\s*using\s+(?:typename\s+)?[\w:]+::\w+\s*[,;]", re.M)


def batches(build, root):
    """(compiler's command without its file, sources below `root`), the largest first."""
    alike = collections.defaultdict(list)
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = pathlib.Path(entry["file"])
        if file.suffix == ".cc" and root in file.parents and build not in file.parents:
            command = re.sub(r" -o \S+ -c \S+$", "", entry["command"])
            alike[command, file.parent].append(str(file))
    out = []
    for (command, _folder), files in alike.items():
        files = sorted(set(files))
        out += [(command, files[at:at + BATCH]) for at in range(0, len(files), BATCH)]
    return sorted(out, key=lambda batch: -len(batch[1]))


def look_at(build, command, files):
    """What clang-tidy says of them, empty when it is content."""
    said = ""
    while files:
        with tempfile.TemporaryDirectory() as folder:
            batch = pathlib.Path(folder, "batch.cc")
            files, left = fitting(build, command, files, batch)
            database = [{"directory": str(build), "file": str(batch),
                         "command": "%s -Wno-error -c %s" % (command, batch)}]
            pathlib.Path(folder, "compile_commands.json").write_text(json.dumps(database))
            said += clang_tidy(folder, CHECKS, batch)
        files = left
    return said


def look_at_declarations(build, files):
    """What the checks say that look at a main file only."""
    files = [file for file in files if USING.search(pathlib.Path(file).read_text())]
    return clang_tidy(build, MAIN_FILE_CHECKS, *files) if files else ""


def clang_tidy(database, checks, *files):
    done = subprocess.run(
        ["clang-tidy-19", "--quiet", "-p", str(database), "--checks=" + checks,
         "--config-file=%s" % (ROOT / ".clang-tidy"), *map(str, files)],
        capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode != 0 else ""


def fitting(build, command, files, batch):
    """The files that compile together, written to `batch`, and those that must wait."""
    files, left = list(files), []
    while True:
        batch.write_text("".join('#include "%s"\n' % file for file in files))
        if len(files) == 1:
            return files, left
        done = subprocess.run("%s -w -fsyntax-only -ferror-limit=1 %s" % (command, batch),
                              shell=True, cwd=build, capture_output=True, text=True)
        if done.returncode == 0:
            return files, left
        guilty = re.search(r"^(\S+\.cc):\d+:\d+: error", done.stderr, re.M)
        name = guilty.group(1) if guilty and guilty.group(1) in files else files[-1]
        files.remove(name)
        left.append(name)


def findings(build, root=ROOT):
    """(a file of those looked at together, what was said of them), as they come."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = {}
        for command, files in batches(build, root):
            waiting[pool.submit(look_at, build, command, files)] = files
            waiting[pool.submit(look_at_declarations, build, files)] = files
        for number, done in enumerate(concurrent.futures.as_completed(waiting), 1):
            print("%d of %d: %s" % (number, len(waiting),
                                    os.path.relpath(waiting[done][0], root)), file=sys.stderr)
            yield waiting[done][0], done.result()


def main():
    found = looked_at = 0
    for _file, said in findings(pathlib.Path(sys.argv[1]).resolve()):
        looked_at += 1
        if said:
            found += 1
            print(said, flush=True)
    if looked_at == 0:
        sys.exit("no source of this tree in %s/compile_commands.json" % sys.argv[1])
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
