"""State across the daemon's death: what was acknowledged is there."""

import contextlib
import json
import os
import subprocess
import sqlite3
import unittest

from daemon import BINARY, Daemon, wait_for

HELLO = "def handler(event):\n    return 'alive'\n"


@contextlib.contextmanager
def database(hearth):
    """The state's database while no daemon uses it, or for reading beside one."""
    connection = sqlite3.connect(hearth.folder / "state/hearth.db")
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()


def versions(connection):
    return dict(connection.execute("SELECT room, version FROM schema_versions"))


def deep_definition(name, levels):
    """A custom kind with a field that nobody knows, objects in objects."""
    value = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": name + "s.deep.example"},
            "spec": {"group": "deep.example", "scope": "Namespaced", "zzz": value,
                     "names": {"plural": name + "s", "kind": name.capitalize()},
                     "versions": [{"name": "v1", "served": True, "storage": True,
                                   "schema": {"openAPIV3Schema": {"type": "object"}}}]}}


class RestartTest(unittest.TestCase):
    def test_a_function_answers_again_after_kill_9(self):
        with Daemon() as hearth:
            hearth.apply(hearth.function("phoenix", HELLO))
            hearth.wait_ready("phoenix")
            hearth.kill()
            hearth.start()
            wait_for(lambda: hearth.call("phoenix.default.localhost", "{}")[2] == "alive", 30,
                     "the function to answer after the restart")

    def test_what_a_crash_left_of_builds_is_removed_and_no_link_followed(self):
        with Daemon() as hearth:
            hearth.kill()
            scratch = hearth.folder / "state/scratch"
            kept = hearth.folder / "kept"
            for folder in (scratch / "context-0a1b2c/deep", scratch / "archive-0a1b2c", kept):
                folder.mkdir(parents=True)
                (folder / "file").write_text("left")
            (scratch / "link").symlink_to(kept)
            hearth.start()
            self.assertEqual(list(scratch.iterdir()), [])
            self.assertTrue((kept / "file").exists())
            # The folder itself is a link: it goes, what it led to stays.
            hearth.kill()
            scratch.rmdir()
            scratch.symlink_to(kept)
            hearth.start()
            self.assertTrue((kept / "file").exists())
            self.assertFalse(scratch.is_symlink())

    def test_sigterm_ends_with_0_and_a_second_daemon_is_refused(self):
        with Daemon() as hearth:
            second = Daemon()
            second.folder = hearth.folder
            second.ready = {}
            with self.assertRaises(AssertionError) as refused:
                second.start()
            self.assertIn("in use by process", str(refused.exception))
            self.assertEqual(hearth.stop(), 0)

    def test_a_state_of_a_newer_program_is_refused_and_left_alone(self):
        with Daemon() as hearth:
            hearth.stop()
            with database(hearth) as state:
                state.execute("UPDATE schema_versions SET version = 99 WHERE room = 'journal'")
            with self.assertRaises(AssertionError) as refused:
                hearth.start()
            self.assertIn('the state\'s "journal" schema has version 99', str(refused.exception))
            self.assertIn("use a newer hearth or another state folder", str(refused.exception))
            with database(hearth) as state:
                self.assertEqual(versions(state)["journal"], 99)

    def test_an_older_state_is_migrated_and_keeps_what_it_had(self):
        """A state from before the registry had tables: those come, the function stays."""
        with Daemon() as hearth:
            hearth.apply({"apiVersion": "v1", "kind": "ConfigMap",
                          "metadata": {"name": "old", "namespace": "default"}, "data": {"a": "1"}})
            hearth.stop()
            with database(hearth) as state:
                before = versions(state)
                tables = [name for (name,) in state.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE "
                    "'registry\\_%' ESCAPE '\\'")]
                self.assertTrue(tables)
                for table in tables:
                    state.execute("DROP TABLE %s" % table)
                state.execute("DELETE FROM schema_versions WHERE room = 'registry'")
            hearth.start()
            with database(hearth) as state:
                self.assertEqual(versions(state), before)
            self.assertEqual(hearth.get("configmap", "old")["data"], {"a": "1"})

    def test_what_is_nested_too_deeply_for_the_next_start_is_refused(self):
        with Daemon() as hearth:
            refused = 0
            for levels in (150, 180, 185, 190, 195, 198):
                definition = deep_definition("a%d" % levels, levels)
                created = hearth.kubectl("create", "--validate=false", "-f", "-",
                                         input=json.dumps(definition), check=False)
                if created.returncode != 0:
                    refused += 1
                    self.assertIn("nested too deeply", created.stderr)
            self.assertIn(refused, range(1, 5))
            hearth.kill()
            hearth.start()
            listed = hearth.kubectl("get", "crd", "-o", "name")
            self.assertEqual(listed.count(".deep.example"), 6 - refused)
            cli = subprocess.run([BINARY, "get", "crd"], capture_output=True, text=True,
                                 timeout=60, env=hearth.environment())
            self.assertEqual(cli.returncode, 0, cli.stderr)
            self.assertEqual(cli.stdout.count(".deep.example"), 6 - refused)

    def test_a_row_that_cannot_be_read_stops_no_start_and_hides_no_other(self):
        with Daemon() as hearth:
            hearth.apply(hearth.function("phoenix", HELLO),
                         *({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
                           for name in ("bad", "good")),
                         deep_definition("bad", 2))
            hearth.wait_ready("phoenix")
            hearth.stop()
            with database(hearth) as state:
                for name in ("bad", "bads.deep.example", "default", "kube-system",
                             "lambdafunctions.lambda.knative.io"):
                    damaged = state.execute("UPDATE objects SET data = '{' WHERE name = ? AND "
                                            "plural <> 'serviceaccounts'", (name,))
                    self.assertGreater(damaged.rowcount, 0, name)
            hearth.start()
            self.assertIn("good", hearth.kubectl("get", "configmaps"))
            self.assertNotIn("bads.deep", hearth.kubectl("get", "crd"))
            self.assertIn('bads.deep.example\\" can\'t be read', hearth.output())
            read = hearth.kubectl("get", "configmap", "bad", check=False)
            self.assertIn('configmaps "bad" in namespace "default" can\'t be read', read.stderr)
            hearth.kubectl("delete", "configmap", "bad")
            hearth.kubectl("delete", "crd", "bads.deep.example")
            self.assertIn("not found",
                          hearth.kubectl("get", "configmap", "bad", check=False).stderr)
            wait_for(lambda: hearth.call("phoenix.default.localhost", "{}")[2] == "alive", 30,
                     "the function to answer after the restart")

    def test_a_tree_that_is_deeper_than_paths_reach_is_removed(self):
        with Daemon() as hearth:
            hearth.kill()
            scratch = hearth.folder / "state/scratch"
            scratch.mkdir(exist_ok=True)
            here = os.open(scratch, os.O_RDONLY)
            for _ in range(1500):
                os.mkdir("a", dir_fd=here)
                inner = os.open("a", os.O_RDONLY, dir_fd=here)
                os.close(here)
                here = inner
            os.close(here)
            hearth.start()
            self.assertEqual(list(scratch.iterdir()), [])

    def test_the_end_of_an_older_object_takes_no_bytes_of_a_newer_one(self):
        with Daemon() as hearth:
            def aws(*arguments, data=b""):
                done = subprocess.run(
                    ["/usr/bin/aws", "--endpoint-url", hearth.ready["s3"], "s3", *arguments],
                    input=data, capture_output=True, timeout=120,
                    env=dict(hearth.environment(), AWS_DEFAULT_REGION="us-east-1",
                             AWS_ACCESS_KEY_ID=hearth.ready["s3AccessKey"],
                             AWS_SECRET_ACCESS_KEY=hearth.ready["s3SecretKey"]))
                self.assertEqual(done.returncode, 0, done.stderr)
                return done.stdout
            aws("mb", "s3://data")
            aws("cp", "-", "s3://data/large", data=b"l" * 100_000)
            hearth.kill()
            hearth.start()
            aws("cp", "-", "s3://data/small", data=b"small")
            aws("rm", "s3://data/large")
            self.assertEqual(aws("cp", "s3://data/small", "-"), b"small")

    def test_an_image_that_was_not_on_the_disk_yet_is_unpacked_again(self):
        with Daemon() as hearth:
            hearth.apply(hearth.function("torn", HELLO))
            hearth.wait_ready("torn")
            hearth.kill()
            images = hearth.folder / "state/images"
            # As a power failure leaves what was written but not flushed, and so not marked.
            for mark in images.glob("*.flushed"):
                mark.unlink()
            files = [file for file in images.rglob("*.py") if file.is_file()]
            self.assertNotEqual(files, [])
            for file in files:
                file.chmod(0o600)
                file.write_bytes(b"")
            hearth.start()
            _, _, body = hearth.call("torn.default.localhost", "{}")
            self.assertEqual(body, "alive")
            wait_for(lambda: not list(images.glob("aside-*")), 10, "the torn folder to go")


if __name__ == "__main__":
    unittest.main()
