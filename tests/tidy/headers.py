"""Every header reads on its own: compiled alone, without the precompiled ones that hide what it
forgot to include. Two cores need four minutes.

    headers.py BUILD_FOLDER [HEADER…]
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PRECOMPILED = re.compile(r" -Winvalid-pch| -Xclang -include(-pch)? -Xclang \S+"
                         r"| -Xclang -fno-pch-timestamp")


def commands(build):
    """Folder → how its sources are compiled, without a file and without precompiled headers."""
    out = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = pathlib.Path(entry["file"])
        if file.suffix != ".cc" or ROOT not in file.parents:
            continue
        # Tests know more libraries than their room.
        if file.parent in out and file.stem.endswith("_test"):
            continue
        command = re.sub(r" -o \S+ -c \S+$", "", entry["command"])
        out[file.parent] = PRECOMPILED.sub("", command)
    return out


def command_for(header, known):
    folder = header.parent
    while folder not in known and folder != ROOT:
        folder = folder.parent
    return known.get(folder) or next(iter(known.values()))


def check(header, command, build):
    done = subprocess.run(
        shlex.split(command) + ["-Wno-pragma-once-outside-header", "-fsyntax-only", "-x", "c++",
                           str(header)],
        cwd=build, capture_output=True, text=True, timeout=300)
    return done.returncode == 0, done.stderr


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    listed = sys.argv[2:] or subprocess.run(["git", "ls-files", "*.h"], cwd=ROOT, check=True,
                                            capture_output=True, text=True).stdout.split()
    headers = [ROOT / name for name in listed if name != "cmake/precompiled.h"]
    known = commands(build)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = pool.map(lambda header: check(header, command_for(header, known), build), headers)
        for header, (fine, said) in zip(headers, runs):
            if not fine:
                failed += 1
                print("%s does not read on its own:\n%s" % (header.relative_to(ROOT), said))
    print("%d headers, %d of them do not read on their own" % (len(headers), failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
