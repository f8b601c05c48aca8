"""What a function writes must not give orders to the terminal of whoever looks at it."""

import os
import pty
import subprocess
import threading
import unittest

from daemon import BINARY, Daemon, wait_for

# Into the clipboard; over the line; as a control of one byte; from right to left.
ORDERS = "\x1b]52;c;aGk=\x07 good\rbad \x9b31m \u202etxt"
SHOWN = r"^[]52;c;aGk=^G good^Mbad \x9b31m \u202etxt"
FORBIDDEN = "\x1b\x07\x9b\u202e"

PRINTS = "def handler(event):\n    print(%r)\n    return 'done'\n" % ORDERS
BREAKS = "raise ValueError(%r)\n" % ORDERS


class TerminalTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hearth = cls.enterClassContext(Daemon())
        cls.hearth.apply(cls.hearth.function("prints", PRINTS),
                         cls.hearth.function("breaks", BREAKS))
        cls.hearth.wait_ready("prints")

    def piped(self, *words):
        done = subprocess.run([BINARY, *words], capture_output=True, timeout=60,
                              env=self.hearth.environment())
        return done.stdout.decode()

    def on_terminal(self, *words):
        """Standard output of a command that writes to a terminal, without the terminal's CR."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([BINARY, *words], stdout=theirs, stderr=subprocess.DEVNULL,
                                   env=self.hearth.environment())
        os.close(theirs)
        limit = threading.Timer(60, process.kill)
        limit.start()
        seen = b""
        try:
            while piece := os.read(ours, 65536):
                seen += piece
        except OSError:
            pass  # Linux: EIO once the last writer has closed
        os.close(ours)
        process.wait()
        limit.cancel()
        return seen.decode().replace("\r\n", "\n")

    def assert_harmless(self, text):
        self.assertIn(SHOWN, text)
        self.assertEqual([c for c in FORBIDDEN if c in text], [], text)

    def test_logs_are_printable_on_a_terminal_and_untouched_in_a_pipe(self):
        self.assertEqual(self.hearth.call("prints.default.localhost", "{}")[0], 200)
        wait_for(lambda: ORDERS in self.piped("logs", "prints"), 20, "the line")
        self.assert_harmless(self.on_terminal("logs", "prints"))

    def test_describe_and_tables_are_printable_everywhere(self):
        told = wait_for(lambda: "ValueError: " in (text := self.piped("describe", "lf", "breaks"))
                        and text, 60, "the traceback")
        self.assert_harmless(told)
        self.assert_harmless(self.on_terminal("describe", "lf", "breaks"))

    def test_an_event_is_printable_on_a_terminal(self):
        self.assertEqual(self.piped("event", "send", "--id", "told", "--type", "t",
                                    "--source", "/s", "-d", ORDERS), "told\n")
        shown = self.on_terminal("event", "show", "told")
        self.assertIn("told", shown)
        self.assertEqual([c for c in FORBIDDEN if c in shown], [], shown)

    def test_an_answer_is_printable_on_a_terminal_and_untouched_in_a_pipe(self):
        self.hearth.apply(self.hearth.function(
            "answers", "def handler(event):\n    return %r\n" % ORDERS))
        self.hearth.wait_ready("answers")
        self.assertEqual(self.piped("invoke", "answers", "-d", "{}"), ORDERS)
        self.assert_harmless(self.on_terminal("invoke", "answers", "-d", "{}"))


if __name__ == "__main__":
    unittest.main()
