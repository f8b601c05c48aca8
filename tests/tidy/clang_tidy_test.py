"""clang_tidy.py: a fault planted in a source of any part of the tree is reported, from a batch too.

    python3 tests/tidy/clang_tidy_test.py -v
"""

import contextlib
import io
import json
import pathlib
import shutil
import tempfile
import unittest

import clang_tidy

PARTS = ("platform", "emulator", "kube-adapter", "cli", "tests")
GOOD = "namespace %s { inline int* nothing() { return nullptr; } }\n"
BAD = "namespace %s { inline int* nothing() { return 0; } }\n"
UNUSED = "namespace a { int one(); }\nusing a::one;\n"


@unittest.skipIf(shutil.which("clang-tidy-19") is None, "clang-tidy-19 is not installed")
class PlantedFaults(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        self.build = self.root / "build"
        self.build.mkdir()

    def said_of(self, sources):
        """All that is said of a tree of these sources, {path: text}."""
        database = []
        for name, text in sources.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            database.append({"directory": str(self.build), "file": str(path),
                             "command": "clang++-19 -std=c++23 -o x.o -c %s" % path})
        (self.build / "compile_commands.json").write_text(json.dumps(database))
        with contextlib.redirect_stderr(io.StringIO()):
            return "".join(said for _, said in clang_tidy.findings(self.build, self.root))

    def test_a_good_tree_is_clean(self):
        self.assertEqual(self.said_of({part + "/x/a.cc": GOOD % "a" for part in PARTS}), "")

    def test_a_fault_in_a_batch(self):
        said = self.said_of({**{part + "/x/a.cc": GOOD % "a" for part in PARTS},
                             **{part + "/x/b.cc": BAD % "b" for part in PARTS}})
        for part in PARTS:
            self.assertIn("/%s/x/b.cc:1:" % part, said)
            self.assertNotIn("/%s/x/a.cc:1:" % part, said)
        self.assertIn("modernize-use-nullptr", said)

    def test_a_declaration_that_is_not_used(self):
        said = self.said_of({"tests/x/a.cc": GOOD % "a", "tests/x/b.cc": UNUSED})
        self.assertIn("misc-unused-using-decls", said)
        self.assertIn("/tests/x/b.cc:2:", said)

    def test_a_file_that_does_not_compile(self):
        self.assertIn("nonsense", self.said_of({"tests/x/a.cc": "nonsense;\n"}))


if __name__ == "__main__":
    unittest.main()
