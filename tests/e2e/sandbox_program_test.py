"""Functions that are programs of their own: held as all are, whoever executes them."""

import json
import os
import pathlib
import signal
import subprocess
import unittest

import sandbox_case
from daemon import wait_for
from sandbox_case import parents_of, processes, titles_of

GO = """package main

import (
	"os"
	"strconv"
	"syscall"
)

func text(err error) string {
	if err == nil {
		return "done"
	}
	if number, ok := err.(syscall.Errno); ok {
		return number.Error()
	}
	return err.Error()
}

func Handler(event map[string]interface{}) (interface{}, error) {
	_, read := os.ReadFile(event["state"].(string) + "/token")
	_, _, ptrace := syscall.RawSyscall(syscall.SYS_PTRACE, 0, 0, 0)
	return map[string]string{
		"state":   text(read),
		"mount":   text(syscall.Mount("x", "/nowhere", "tmpfs", 0, "")),
		"unshare": text(syscall.Unshare(0x10000000)),
		"ptrace":  text(ptrace),
		"write":   text(os.WriteFile("/app/x", nil, 0o600)),
		"kill":    text(syscall.Kill(int(event["pid"].(float64)), 9)),
		"user":    strconv.Itoa(os.Getuid()),
	}, nil
}
"""


class Program(sandbox_case.SandboxTest):
    """Go. The first instance gets a jail of its own, the next ones that of a child of the fork
    server, which is up by then."""

    def assert_held(self):
        status, _, body = self.ask("gopher", state=self.state(), pid=self.hearth.process.pid)
        self.assertEqual(status, 200, body)
        seen = json.loads(body)
        self.assertIn("no such file", seen["state"])
        for name in ("mount", "unshare", "ptrace"):
            self.assertEqual(seen[name], "operation not permitted", seen)
        self.assertTrue("read-only" in seen["write"] or "denied" in seen["write"], seen)
        self.assertEqual((seen["kill"], seen["user"]), ("no such process", "65532"))

    def instances(self):
        out = []
        for pid in processes():
            try:
                parents = parents_of(pid)
            except OSError:
                continue  # it has just ended
            if "function" in titles_of(pid) and self.hearth.process.pid in parents:
                out.append((pid, parents))
        return out

    def parents_of_instance(self):
        [(_pid, parents)] = self.instances()
        return parents

    def starts_below_the_fork_server(self):
        self.to_zero("gopher")
        wait_for(lambda: not self.instances(), 30, "the instance to end")
        return self.answers() and any(one in self.parents_of_instance()
                                      for one in self.fork_servers())

    def answers(self):
        return self.ask("gopher", state="/", pid=1)[0] == 200

    def test_a_program_is_held_whoever_executes_it(self):
        self.deploy("gopher", GO, "go", "1.22")
        self.assert_held()
        self.assertEqual(self.parents_of_instance()[0], self.hearth.process.pid)
        wait_for(self.starts_below_the_fork_server, 60, "the fork server to be up for the next one")
        self.assert_held()
        server = self.fork_server()
        os.kill(server, signal.SIGKILL)
        wait_for(lambda: not self.instances(), 30, "the instance to end with the fork server")
        wait_for(self.answers, 60, "another instance to answer")
        self.assert_held()
        self.assertNotIn(server, self.parents_of_instance())


class ChangedNetwork(sandbox_case.SandboxTest):
    """A machine that joins another network replaces /etc/resolv.conf."""

    launcher = ("unshare", "--mount")  # so that only the daemon sees another one

    def test_functions_ask_the_name_servers_of_now(self):
        self.deploy("asker")
        with open("/etc/resolv.conf") as file:
            self.assertEqual(self.resolver(), file.read())
        other = pathlib.Path(self.hearth.folder, "resolv.conf")
        other.write_text("nameserver 192.0.2.53\n")
        subprocess.run(["nsenter", "-m", "-t", str(self.hearth.process.pid), "mount", "--bind",
                        other, os.path.realpath("/etc/resolv.conf")], check=True, timeout=60)
        self.to_zero("asker")
        wait_for(lambda: self.hearth.kubectl(
            "get", "pods", "-l", "serving.knative.dev/service=asker", "-o", "name") == "", 60,
                 "the instance to end")
        self.assertEqual(self.resolver(), other.read_text())

    def resolver(self):
        return self.attempts("asker", text="open('/etc/resolv.conf').read()")["text"]


if __name__ == "__main__":
    unittest.main()
