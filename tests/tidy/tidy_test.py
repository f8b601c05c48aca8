"""The rules of the house that a machine can check: layers, lengths, words, headers, dead files.

    python3 -m unittest -v tests/tidy/tidy_test.py

Each check is a function of a source tree that returns its findings, "path:line: what". TreeIsTidy
runs them on this repository, ChecksFindFaults on small bad trees, so that a check which can't fail
is noticed. What may lean on what stands in the tables below: a new arrow is added here first.
"""

import pathlib
import re
import tempfile
import unittest

try:
    import yaml
except ImportError:
    yaml = None

ROOT = pathlib.Path(__file__).resolve().parents[2]
SELF = "tests/tidy/tidy_test.py"  # names what it bans
TOPS = ("platform", "emulator", "kube-adapter", "cli")

# Rooms of platform/, lowest layer first. A room may use all layers below its own.
PLATFORM_LAYERS = (
    ("base",),
    ("async",),
    ("telemetry", "http", "sqlite", "process"),
    ("s3", "oci", "event", "resource"),
    ("lambda",),
)
# Within a layer: only these.
SAME_LAYER = {("platform/http", "platform/telemetry")}

# Rooms of emulator/ and the rooms beside them that they may use. emulator/*.cc itself assembles and
# may use all. They meet elsewhere through resource::Store, values and callbacks.
EMULATOR_ROOMS = {
    "apiserver": (),
    "blobs": (),
    "builder": ("blobs", "registry"),
    "eventing": ("journal",),
    "gateway": (),
    "journal": (),
    "objectstore": ("blobs",),
    "registry": ("blobs",),
    "runtime": ("blobs", "registry"),
    "serving": ("gateway", "runtime"),
    "store": (),
    "workloads": ("builder", "runtime"),
}

COLUMNS_MAX = 100
LINES_MAX = 700
# Tests that cross rooms belong to none: lengths and words alone are checked of them.
LOOSE_TOP = "tests"
LOOSE_SUFFIXES = (".h", ".cc", ".py", ".sh")
# (folder, columns, lines): wider until their lines are wrapped.
LOOSER = (("tests/e2e/", 120, 700), ("tests/crash/", 120, 700), ("tests/wrappers/", 120, 800))
README_LINES_MAX = 40
YAML_TOPS = ("samples", "config")

# (what, pattern, raw text rather than code without comments)
BANNED_WORDS = (
    ("asio::detached: spawn through a TaskGroup", re.compile(r"\basio::detached\b"), False),
    ("std::regex: slow and unbounded", re.compile(r"\bstd::(?:regex|wregex|basic_regex)\b"), False),
    ("a sleeping thread: wait for a condition, or async::sleep_for",
     re.compile(r"\bthis_thread::sleep_(?:for|until)\b"), False),
    ("TODO(now)", re.compile(r"TODO\(now\)"), True),
    ("using namespace std", re.compile(r"\busing\s+namespace\s+std\s*;"), False),
)
BANNED_IN_HEADERS = (
    ("Beast in a header: it costs every includer seconds",
     re.compile(r"#\s*include\s*[<\"]boost/beast"), ()),
    ("nlohmann/json.hpp in a header: include platform/base/json.h",
     re.compile(r"#\s*include\s*[<\"]nlohmann/json\.hpp"), ("platform/base/json.h",)),
)

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
CMAKE_CALL = re.compile(
    r"\b(hearth_module|target_link_libraries|add_executable|file|list)\s*\(([^()]*)\)")
HEARTH_TARGET = re.compile(r"\bhearth(?:::|_)([a-z0-9_-]+)")
MODULE_KEYWORDS = ("NAME", "SOURCES", "DEPS", "LIBS", "TESTS", "TEST_DEPS")


class Room:
    """A folder with a CMakeLists.txt that makes a target of it."""

    def __init__(self, path):
        self.path = path
        self.name = path.rsplit("/", 1)[-1]
        self.module = False
        self.deps = []
        self.test_deps = []
        self.sources = set()
        self.globs = []
        self.glob_excludes = []


class Tree:
    """Sources and CMake lists of a repository, read once. `loose`: what belongs to no room."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.texts = {}
        self.loose = {}
        self.rooms = {}
        for top in TOPS:
            for path in sorted((self.root / top).rglob("*")):
                relative = path.relative_to(self.root).as_posix()
                if path.name == "CMakeLists.txt":
                    self.rooms[relative.rsplit("/", 1)[0]] = self._room(path, relative)
                elif path.suffix in (".h", ".cc"):
                    self.texts[relative] = path.read_text(encoding="utf-8", errors="replace")
        for path in sorted((self.root / LOOSE_TOP).rglob("*")):
            if path.suffix in LOOSE_SUFFIXES:
                self.loose[path.relative_to(self.root).as_posix()] = path.read_text(
                    encoding="utf-8", errors="replace")
        self.by_name = {room.name: room.path for room in self.rooms.values() if room.module}

    @staticmethod
    def _room(path, relative):
        room = Room(relative.rsplit("/", 1)[0])
        text = re.sub(r"#[^\n]*", "", path.read_text(encoding="utf-8"))
        text = re.sub(r"\$\{[^}]*\}/?", "", text)
        for call, body in CMAKE_CALL.findall(text):
            words = body.replace('"', " ").split()
            if call == "hearth_module":
                fields = {}
                for word in words:
                    if word in MODULE_KEYWORDS:
                        field = fields.setdefault(word, [])
                    else:
                        field.append(word)
                room.module = True
                room.name = fields.get("NAME", [room.name])[0]
                room.deps += fields.get("DEPS", [])
                room.test_deps += fields.get("TEST_DEPS", [])
                room.sources |= set(fields.get("SOURCES", []) + fields.get("TESTS", []))
            elif call == "target_link_libraries":
                room.deps += HEARTH_TARGET.findall(" ".join(words[1:]))
            elif call == "add_executable":
                room.sources |= set(words[1:])
            elif call == "file" and words[:1] == ["GLOB"]:
                room.globs += [word for word in words if word.endswith(".cc")]
            elif call == "list" and "EXCLUDE" in words:
                room.glob_excludes.append(words[-1].replace("\\\\", "\\"))
        room.sources = {word for word in room.sources if word.endswith(".cc")}
        own = {room.name, "compile_options"}
        room.deps = [dep for dep in dict.fromkeys(room.deps) if dep not in own]
        return room

    def room_of(self, path):
        """The room that a file belongs to: the nearest folder with a target."""
        folder = path.rsplit("/", 1)[0]
        while folder:
            if folder in self.rooms and self.rooms[folder].module:
                return self.rooms[folder]
            folder = folder.rsplit("/", 1)[0] if "/" in folder else ""
        return None

    def reachable(self, names):
        """Folders of all rooms that links to `names` bring along."""
        found, waiting = set(), list(names)
        while waiting:
            path = self.by_name.get(waiting.pop())
            if path is not None and path not in found:
                found.add(path)
                waiting += self.rooms[path].deps
        return found


def may_use(user, used):
    """Whether the layer table has an arrow between the folders of two rooms."""
    if user == used:
        return True
    user_top, _, user_room = user.partition("/")
    used_top, _, used_room = used.partition("/")
    if user_top == "cli":
        return used_top in ("platform", "emulator", "kube-adapter")
    if used_top == "cli":
        return False
    if user_top == "kube-adapter":
        return used_top in ("platform", "kube-adapter")
    if user_top == "emulator":
        if used_top == "platform":
            return True
        if used_top != "emulator":
            return False
        return not user_room or used_room in EMULATOR_ROOMS.get(user_room, ())
    if used_top != "platform":
        return False
    levels = {room: level for level, rooms in enumerate(PLATFORM_LAYERS) for room in rooms}
    if user_room not in levels or used_room not in levels:
        return False
    return levels[used_room] < levels[user_room] or (user, used) in SAME_LAYER


def is_test(path):
    return path.endswith("_test.cc") or "/testing/" in path


def check_known_rooms(tree):
    known = {f"platform/{room}" for layer in PLATFORM_LAYERS for room in layer}
    known |= {f"emulator/{room}" for room in EMULATOR_ROOMS}
    found = []
    for path in tree.rooms:
        if path.startswith(("platform/", "emulator/")) and path not in known:
            found.append(f"{path}: a room that no table of {pathlib.Path(__file__).name} names")
    for path in tree.texts:
        if tree.room_of(path) is None:
            found.append(f"{path}: belongs to no hearth_module")
    return found


def check_links(tree):
    found = []
    for room in tree.rooms.values():
        for dep in room.deps + room.test_deps:
            path = tree.by_name.get(dep)
            if path is None:
                found.append(f"{room.path}/CMakeLists.txt: links {dep}, which is no room")
            elif not may_use(room.path, path):
                found.append(f"{room.path}/CMakeLists.txt: must not link {path}")
    return found


def check_includes(tree):
    found = []
    allowed = {room.path: tree.reachable(room.deps) for room in tree.rooms.values()}
    allowed_in_tests = {room.path: tree.reachable(room.deps + room.test_deps)
                        for room in tree.rooms.values()}
    for path, text in tree.texts.items():
        room = tree.room_of(path)
        for number, line in enumerate(text.splitlines(), 1):
            match = INCLUDE.match(line)
            if match is None:
                continue
            where, target = f"{path}:{number}", match[1]
            if target not in tree.texts:
                found.append(f'{where}: "{target}" is no file below the root')
                continue
            used = tree.room_of(target)
            if room is None or used is None or used is room:
                continue
            linked = (allowed_in_tests if is_test(path) else allowed)[room.path]
            if not may_use(room.path, used.path):
                found.append(f"{where}: {room.path} must not include {used.path}")
            elif used.path not in linked:
                found.append(f"{where}: {room.path} doesn't link {used.name}")
    return found


def check_lengths(tree):
    found = []
    for path, text in {**tree.texts, **tree.loose}.items():
        columns_max, lines_max = next(
            (bounds for folder, *bounds in LOOSER if path.startswith(folder)),
            (COLUMNS_MAX, LINES_MAX))
        lines = text.splitlines()
        if len(lines) > lines_max:
            found.append(f"{path}: {len(lines)} lines, at most {lines_max}")
        for number, line in enumerate(lines, 1):
            if len(line) > columns_max:
                found.append(f"{path}:{number}: {len(line)} columns, at most {columns_max}")
            if "\t" in line and path.endswith((".h", ".cc")):  # Python's strings may hold Go
                found.append(f"{path}:{number}: a tab")
    return found


# What stands in a string is no code, and "//" in one begins no comment.
STRING_OR_COMMENT = re.compile(
    r'''R"([^( ]*)\(.*?\)\1"|"(?:\\.|[^"\\])*"|'(?:\\.[^']*|[^'\\])'|//.*''')
INCLUDE_LINE = re.compile(r"\s*#\s*include\b")


def without_comment(line):
    """The code of a line, without what its strings say; an include keeps its quoted name."""
    if INCLUDE_LINE.match(line):
        return line.split("//", 1)[0]

    return STRING_OR_COMMENT.sub(lambda match: "" if match[0].startswith("//") else '""', line)


def check_words(tree):
    found = []
    for path, text in {**tree.texts, **tree.loose}.items():
        is_cpp = path.endswith((".h", ".cc"))
        headers_only = BANNED_IN_HEADERS if path.endswith(".h") else ()
        for number, line in enumerate(text.splitlines(), 1):
            code = without_comment(line) if is_cpp else ""
            for what, pattern, raw in BANNED_WORDS:
                # The command line has no loop: it may poll a server that it waits for.
                if what.startswith("a sleeping thread") and path.startswith("cli/"):
                    continue
                if path != SELF and pattern.search(line if raw else code):
                    found.append(f"{path}:{number}: {what}")
            for what, pattern, exempt in headers_only:
                if path not in exempt and pattern.search(code):
                    found.append(f"{path}:{number}: {what}")
    return found


def check_headers(tree):
    found = []
    for path, text in tree.texts.items():
        if not path.endswith(".h"):
            continue
        if not text.startswith(("//", "/*")):
            found.append(f"{path}:1: no comment that says what this is")
        if not re.search(r"^#pragma once$", text, re.MULTILINE):
            found.append(f"{path}: no #pragma once")
    return found


def is_built(room, name):
    if name in room.sources:
        return True
    return any(pathlib.PurePosixPath(name).match(pattern) for pattern in room.globs) and not any(
        re.search(pattern, name) for pattern in room.glob_excludes)


def check_dead_files(tree):
    found = []
    included = {match[1] for text in tree.texts.values() for match in
                (INCLUDE.match(line) for line in text.splitlines()) if match}
    for path in tree.texts:
        room = tree.room_of(path)
        if path.endswith(".h"):
            if path not in included:
                found.append(f"{path}: nobody includes it")
        elif room is not None and not is_built(room, path.removeprefix(room.path + "/")):
            found.append(f"{path}: not in {room.path}/CMakeLists.txt")
    for room in tree.rooms.values():
        for name in sorted(room.sources):
            if f"{room.path}/{name}" not in tree.texts:
                found.append(f"{room.path}/CMakeLists.txt: {name} doesn't exist")
    return found


def check_readmes(tree):
    found = []
    for room in tree.rooms.values():
        inner = room.path.startswith(("platform/", "emulator/"))
        if inner and room.module and not (tree.root / room.path / "README.md").exists():
            found.append(f"{room.path}: no README.md")
    for top in TOPS:
        for path in sorted((tree.root / top).rglob("README.md")):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > README_LINES_MAX:
                relative = path.relative_to(tree.root).as_posix()
                found.append(f"{relative}: {lines} lines, at most {README_LINES_MAX}")
    return found


def check_yaml(tree):
    found = []
    read = dict.fromkeys(YAML_TOPS, 0)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for top in YAML_TOPS:
        for path in sorted((tree.root / top).rglob("*.y*ml")):
            relative = path.relative_to(tree.root).as_posix()
            read[top] += 1
            try:
                for _ in yaml.parse(path.read_text(encoding="utf-8"), Loader=loader):
                    pass
            except yaml.YAMLError as error:
                found.append(f"{relative}: {' '.join(str(error).split())}")
    return found + [f"{top}: no YAML file" for top, files in read.items() if files == 0]


class TreeIsTidy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tree = Tree(ROOT)

    def assert_none(self, found):
        if found:
            self.fail(f"{len(found)} findings\n" + "\n".join(found))

    def test_there_is_something_to_check(self):
        self.assertGreater(len(self.tree.texts), 100)
        self.assertGreater(len(self.tree.loose), 50)
        for suffix in (".py", ".cc", ".h", ".sh"):
            self.assertTrue(any(path.endswith(suffix) for path in self.tree.loose), suffix)
        self.assertGreater(len(self.tree.by_name), 10)

    def test_every_room_has_its_place(self):
        self.assert_none(check_known_rooms(self.tree))

    def test_links_point_downward(self):
        self.assert_none(check_links(self.tree))

    def test_includes_point_downward(self):
        self.assert_none(check_includes(self.tree))

    def test_lengths(self):
        self.assert_none(check_lengths(self.tree))

    def test_banned_words(self):
        self.assert_none(check_words(self.tree))

    def test_headers(self):
        self.assert_none(check_headers(self.tree))

    def test_no_dead_files(self):
        self.assert_none(check_dead_files(self.tree))

    def test_readmes(self):
        self.assert_none(check_readmes(self.tree))

    @unittest.skipIf(yaml is None, "python3-yaml is not installed")
    def test_yaml_parses(self):
        self.assert_none(check_yaml(self.tree))


class ChecksFindFaults(unittest.TestCase):
    """Feeds every check a tree with one fault; the same tree without it is clean."""

    GOOD = {
        "platform/base/CMakeLists.txt": "hearth_module(NAME base SOURCES a.cc)\n",
        "platform/base/README.md": "# base\n",
        "platform/base/a.h": "// A.\n#pragma once\n",
        "platform/base/a.cc": '#include "platform/base/a.h"\n',
        "platform/async/CMakeLists.txt": "hearth_module(NAME async SOURCES b.cc DEPS base)\n",
        "platform/async/README.md": "# async\n",
        "platform/async/b.h": '// B.\n#pragma once\n#include "platform/base/a.h"\n',
        "platform/async/b.cc": '#include "platform/async/b.h"\n',
        "emulator/blobs/CMakeLists.txt": "hearth_module(NAME blobs SOURCES c.cc DEPS base)\n",
        "emulator/blobs/README.md": "# blobs\n",
        "emulator/blobs/c.h": "// C.\n#pragma once\n",
        "emulator/blobs/c.cc": '#include "emulator/blobs/c.h"\n#include "platform/base/a.h"\n',
        "emulator/registry/CMakeLists.txt":
            "hearth_module(NAME registry\n  SOURCES d.cc  # the store\n  DEPS blobs)\n",
        "emulator/registry/README.md": "# registry\n",
        "emulator/registry/d.cc": '#include "emulator/blobs/c.h"\n#include "platform/base/a.h"\n',
        "cli/CMakeLists.txt":
            "file(GLOB s RELATIVE ${X} CONFIGURE_DEPENDS *.cc)\n"
            'list(FILTER s EXCLUDE REGEX "_test\\\\.cc$")\n'
            "hearth_module(NAME cli SOURCES ${s} DEPS registry)\n"
            "add_executable(hearth main.cc)\n",
        "cli/README.md": "# cli\n",
        "cli/main.cc": '#include "emulator/blobs/c.h"\n',
        "samples/x/function.yaml": "a: 1\n",
        "config/default.yaml": "a: 1\n",
        "tests/e2e/a_test.py": "x = 1\n",
        "tests/contract/a_test.cc": "int x;\n",
    }

    def tree_with(self, changes):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name, text in {**self.GOOD, **changes}.items():
            path = pathlib.Path(folder.name) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return Tree(folder.name)

    def assert_found(self, check, changes, *words):
        found = check(self.tree_with(changes))
        self.assertEqual(len(found), 1, found)
        for word in words:
            self.assertIn(word, found[0])

    def test_a_good_tree_is_clean(self):
        tree = self.tree_with({})
        checks = [check_known_rooms, check_links, check_includes, check_lengths, check_words,
                  check_headers, check_dead_files, check_readmes]
        for check in checks + ([check_yaml] if yaml else []):
            self.assertEqual(check(tree), [], check.__name__)

    def test_unknown_room(self):
        self.assert_found(check_known_rooms, {
            "emulator/attic/CMakeLists.txt": "hearth_module(NAME attic SOURCES e.cc)\n"}, "attic")

    def test_file_without_a_room(self):
        self.assert_found(check_known_rooms, {"kube-adapter/k.cc": "\n"}, "kube-adapter/k.cc")

    def test_link_upward(self):
        self.assert_found(check_links, {
            "platform/base/CMakeLists.txt": "hearth_module(NAME base SOURCES a.cc DEPS async)\n"},
            "platform/async")

    def test_link_to_a_room_beside(self):
        self.assert_found(check_links, {
            "emulator/blobs/CMakeLists.txt":
                "hearth_module(NAME blobs SOURCES c.cc DEPS base registry)\n"}, "emulator/registry")

    def test_link_by_target_link_libraries(self):
        self.assert_found(check_links, {
            "platform/base/CMakeLists.txt":
                "hearth_module(NAME base SOURCES a.cc)\n"
                "target_link_libraries(hearth_base PUBLIC hearth::blobs)\n"}, "emulator/blobs")

    def test_link_to_nothing(self):
        self.assert_found(check_links, {
            "platform/base/CMakeLists.txt": "hearth_module(NAME base SOURCES a.cc DEPS ghost)\n"},
            "ghost")

    def test_include_upward(self):
        self.assert_found(check_includes, {
            "platform/base/a.cc": '#include "platform/async/b.h"\n'}, "platform/base/a.cc:1")

    def test_include_of_the_other_world(self):
        world = {
            "kube-adapter/CMakeLists.txt":
                "hearth_module(NAME kube-adapter SOURCES k.cc DEPS base)\n",
            "kube-adapter/k.h": "// K.\n#pragma once\n",
        }
        self.assert_found(check_includes, {
            **world, "kube-adapter/k.cc": '#include "emulator/blobs/c.h"\n'}, "must not include")
        self.assert_found(check_includes, {
            **world, "kube-adapter/k.cc": "\n",
            "emulator/blobs/c.cc": '#include "kube-adapter/k.h"\n'}, "must not include")

    def test_include_without_a_link(self):
        self.assert_found(check_includes, {
            "emulator/blobs/c.cc": '#include "platform/async/b.h"\n'}, "doesn't link async")

    def test_include_that_is_not_rooted(self):
        self.assert_found(check_includes, {"platform/base/a.cc": '#include "a.h"\n'}, '"a.h"')

    def test_platform_never_includes_a_world(self):
        self.assertFalse(may_use("platform/lambda", "emulator/store"))
        self.assertFalse(may_use("platform/lambda", "kube-adapter"))
        self.assertFalse(may_use("platform/s3", "platform/oci"))
        self.assertFalse(may_use("emulator/gateway", "cli"))
        self.assertTrue(may_use("emulator", "emulator/store"))
        self.assertTrue(may_use("emulator/serving", "emulator/gateway"))
        self.assertFalse(may_use("emulator/gateway", "emulator/serving"))

    def test_long_line(self):
        self.assert_found(check_lengths, {"platform/base/a.cc": "x" * 101 + "\n"}, "101 columns")

    def test_long_line_of_a_test(self):
        for name in ("bench/x.py", "contract/a_test.cc", "fuzz/run.sh"):
            self.assert_found(check_lengths, {"tests/" + name: "x" * 101 + "\n"}, name + ":1: 101")
        for folder in ("e2e", "crash", "wrappers"):
            self.assertEqual(check_lengths(self.tree_with({
                f"tests/{folder}/b.py": "x" * 120 + "\n"})), [])
            self.assert_found(check_lengths, {f"tests/{folder}/b.py": "x" * 121 + "\n"}, "121")

    def test_long_file_of_a_test(self):
        self.assert_found(check_lengths, {"tests/e2e/b.py": "\n" * 701}, "701 lines")

    def test_long_file(self):
        self.assert_found(check_lengths, {"platform/base/a.cc": "\n" * 701}, "701 lines")

    def test_tab(self):
        self.assert_found(check_lengths, {"platform/base/a.cc": "\tint x;\n"}, "a tab")

    LEFT_OVER = next(what for what, _, is_raw in BANNED_WORDS if is_raw) + ": finish"

    def test_banned_words(self):
        for line in ("co_spawn(e, t, asio::detached);", "std::regex r;", "using namespace std;",
                     "std::this_thread::sleep_for(1s);", "// " + self.LEFT_OVER):
            self.assert_found(check_words, {"platform/base/a.cc": line + "\n"}, "a.cc:1")

    def test_banned_words_in_tests(self):
        self.assert_found(check_words, {
            "tests/contract/a_test.cc": "std::this_thread::sleep_for(1s);\n"}, "a_test.cc:1")
        self.assert_found(check_words, {"tests/e2e/b.py": "# " + self.LEFT_OVER + "\n"}, "b.py:1")

    def test_banned_words_behind_a_string(self):
        for before in ('f("http://x", ', 'f(R"(//)", ', "f('\"', ", 'f("\\"//", ', "g('/', "):
            self.assert_found(check_words, {
                "platform/base/a.cc": before + "std::regex());\n"}, "a.cc:1")

    def test_words_in_strings_are_fine(self):
        text = 'f("std::regex", R"(asio::detached)");  // std::regex\n'
        self.assertEqual(check_words(self.tree_with({"platform/base/a.cc": text})), [])

    def test_words_in_comments_and_other_sleeps_are_fine(self):
        text = "// not std::regex\nco_await async::sleep_for(1s);\nusing namespace std::chrono;\n"
        self.assertEqual(check_words(self.tree_with({"platform/base/a.cc": text})), [])

    def test_banned_headers(self):
        for line in ("#include <boost/beast/http.hpp>", "#include <nlohmann/json.hpp>"):
            self.assert_found(check_words, {
                "platform/base/a.h": f"// A.\n#pragma once\n{line}\n"}, "a.h:3")

    def test_header_without_comment(self):
        self.assert_found(check_headers, {"platform/base/a.h": "#pragma once\n"}, "no comment")

    def test_header_without_pragma(self):
        self.assert_found(check_headers, {"platform/base/a.h": "// A.\n"}, "#pragma once")

    def test_source_that_is_not_built(self):
        self.assert_found(check_dead_files, {"platform/base/z.cc": "\n"}, "platform/base/z.cc")

    def test_test_that_a_glob_leaves_out(self):
        self.assert_found(check_dead_files, {"cli/main_test.cc": "\n"}, "cli/main_test.cc")

    def test_source_that_is_gone(self):
        self.assert_found(check_dead_files, {
            "platform/base/CMakeLists.txt": "hearth_module(NAME base SOURCES a.cc gone.cc)\n"},
            "gone.cc")

    def test_header_that_nobody_includes(self):
        self.assert_found(check_dead_files, {"platform/base/z.h": "// Z.\n#pragma once\n"}, "z.h")

    def test_long_readme(self):
        self.assert_found(check_readmes, {"platform/base/README.md": "x\n" * 41}, "41 lines")

    def test_room_without_readme(self):
        self.assert_found(check_readmes, {
            "emulator/store/CMakeLists.txt": "hearth_module(NAME store SOURCES s.cc)\n"}, "README")

    @unittest.skipIf(yaml is None, "python3-yaml is not installed")
    def test_no_yaml(self):
        tree = self.tree_with({})
        (tree.root / "samples/x/function.yaml").unlink()
        self.assertEqual(check_yaml(tree), ["samples: no YAML file"])

    @unittest.skipIf(yaml is None, "python3-yaml is not installed")
    def test_bad_yaml(self):
        self.assert_found(check_yaml, {"samples/x/function.yaml": "a: [1\n"}, "function.yaml")


if __name__ == "__main__":
    unittest.main()
