"""clang-tidy over the whole tree, in batches.

Most of its time goes into the headers of Boost and JSON, again for every file. So the sources of a
folder that were compiled alike are included into one file and looked at together; a file that can't
stand beside the others (a name in an unnamed namespace that another has too) is looked at after
them. Two cores need 25 minutes instead of two hours.

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


def batches(build):
    """(compiler's command without its file, sources), the largest first."""
    alike = collections.defaultdict(list)
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = pathlib.Path(entry["file"])
        if file.suffix == ".cc" and ROOT in file.parents and build not in file.parents:
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
            done = subprocess.run(
                ["clang-tidy-19", "--quiet", "-p", folder, "--checks=" + CHECKS,
                 "--config-file=%s" % (ROOT / ".clang-tidy"), str(batch)],
                capture_output=True, text=True)
            if done.returncode != 0:
                said += done.stdout + done.stderr
        files = left
    return said


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


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    found = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = {pool.submit(look_at, build, command, files): files
                   for command, files in batches(build)}
        for number, done in enumerate(concurrent.futures.as_completed(waiting), 1):
            print("%d of %d: %s" % (number, len(waiting),
                                    os.path.relpath(waiting[done][0], ROOT)), file=sys.stderr)
            if done.result():
                found += 1
                print(done.result(), flush=True)
    sys.exit(1 if found else 0)


main()
