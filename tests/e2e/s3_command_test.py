"""`hearth s3` against the daemon's store and, with flags only, against the same as a stranger."""

import hashlib
import json
import os
import pathlib
import subprocess
import unittest
import urllib.request

import daemon

NOT_FOUND, CONFLICT, USAGE, INVALID = 3, 4, 2, 5


class S3CommandTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hearth = daemon.Daemon()
        cls.hearth.start()
        cls.work = cls.hearth.folder / "work"
        cls.work.mkdir()

    @classmethod
    def tearDownClass(cls):
        cls.hearth.__exit__()

    def run_s3(self, *words, code=0, input=None, environment=None):
        done = subprocess.run([daemon.BINARY, "s3", *map(str, words)], input=input, timeout=300,
                              capture_output=True,
                              env={**self.hearth.environment(), **(environment or {})})
        self.assertEqual(done.returncode, code, (done.stderr, done.stdout[:1000]))
        return done

    def lines(self, *words):
        return self.run_s3(*words).stdout.decode().splitlines()

    def test_make_copy_list_print_and_remove(self):
        self.run_s3("mb", "s3://basics")
        self.assertIn("basics", [line.split()[-1] for line in self.lines("ls")])
        file = self.work / "cat.txt"
        file.write_text("meow\n")
        self.run_s3("cp", file, "s3://basics/pets/")
        self.assertEqual(self.lines("ls", "s3://basics")[0].split(), ["PRE", "pets/"])
        self.assertEqual(self.lines("ls", "s3://basics/pets/")[0].split()[2:], ["5", "cat.txt"])
        self.assertEqual(self.lines("ls", "-r", "s3://basics")[0].split()[3], "pets/cat.txt")
        done = self.run_s3("cat", "s3://basics/pets/cat.txt")
        self.assertEqual(done.stdout, b"meow\n")
        self.run_s3("cp", "s3://basics/pets/cat.txt", "s3://basics/copy.txt")
        self.run_s3("cp", "s3://basics/copy.txt", self.work / "back.txt")
        self.assertEqual((self.work / "back.txt").read_text(), "meow\n")
        self.run_s3("mv", "s3://basics/copy.txt", "s3://basics/copy.txt", code=INVALID)
        self.run_s3("rm", "s3://basics/copy.txt")
        self.run_s3("rm", "s3://basics/copy.txt", code=NOT_FOUND)
        self.run_s3("rb", "s3://basics", code=CONFLICT)
        self.run_s3("rb", "--force", "s3://basics")
        self.assertNotIn("basics", [line.split()[-1] for line in self.lines("ls")])

    def test_streams(self):
        self.run_s3("mb", "s3://streams")
        self.run_s3("cp", "-", "s3://streams/a", input=b"from a pipe")
        self.assertEqual(self.run_s3("cp", "s3://streams/a", "-").stdout, b"from a pipe")

    def test_a_big_file_goes_in_parts_and_comes_back_whole(self):
        self.run_s3("mb", "s3://big")
        file = self.work / "big.bin"
        with open(file, "wb") as out:
            for _ in range(20):
                out.write(os.urandom(1024 * 1024))
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        self.run_s3("cp", file, "s3://big/file")
        aws = subprocess.run(["/usr/bin/aws", "--endpoint-url", self.hearth.ready["s3"], "s3api",
                              "head-object", "--bucket", "big", "--key", "file"],
                             capture_output=True, text=True, timeout=120, env=self.aws())
        self.assertEqual(aws.returncode, 0, aws.stderr)
        # "-3": an object of three parts.
        self.assertTrue(json.loads(aws.stdout)["ETag"].strip('"').endswith("-3"), aws.stdout)
        self.run_s3("cp", "s3://big/file", self.work / "big.back")
        self.assertEqual(hashlib.sha256((self.work / "big.back").read_bytes()).hexdigest(), digest)
        self.run_s3("cp", "-", "s3://big/stream", input=file.read_bytes())
        self.assertEqual(hashlib.sha256(self.run_s3("cat", "s3://big/stream").stdout).hexdigest(),
                         digest)

    def aws(self):
        return dict(os.environ, AWS_ACCESS_KEY_ID=self.hearth.ready["s3AccessKey"],
                    AWS_SECRET_ACCESS_KEY=self.hearth.ready["s3SecretKey"],
                    AWS_DEFAULT_REGION="us-east-1")

    def test_folders_are_copied_moved_and_synchronised(self):
        self.run_s3("mb", "s3://trees")
        tree = self.work / "tree"
        (tree / "deep/er").mkdir(parents=True)
        (tree / "a b.txt").write_text("a")
        (tree / "deep/er/c+d.txt").write_text("c")
        self.run_s3("cp", "-r", tree, "s3://trees/one")
        names = sorted(line[31:] for line in self.lines("ls", "-r", "s3://trees/one/"))
        self.assertEqual(names, ["one/a b.txt", "one/deep/er/c+d.txt"])
        self.run_s3("mv", "-r", "s3://trees/one", "s3://trees/two")
        self.run_s3("ls", "s3://trees/one/", code=NOT_FOUND)
        self.run_s3("cp", "-r", "s3://trees/two", self.work / "copy")
        self.assertEqual((self.work / "copy/deep/er/c+d.txt").read_text(), "c")
        done = self.run_s3("sync", tree, "s3://trees/two")
        self.assertEqual(done.stderr, b"")
        (tree / "a b.txt").write_text("longer")
        (tree / "deep/er/c+d.txt").unlink()
        done = self.run_s3("sync", tree, "s3://trees/two", "--delete", "--dry-run")
        self.assertEqual(done.stderr.decode().count("(dry run)"), 2)
        self.run_s3("sync", tree, "s3://trees/two", "--delete")
        self.assertEqual(len(self.lines("ls", "-r", "s3://trees")), 1)
        self.assertEqual(self.run_s3("cat", "s3://trees/two/a b.txt").stdout, b"longer")

    def test_keys_that_lead_out_of_the_folder_are_refused(self):
        self.run_s3("mb", "s3://hostile")
        put = subprocess.run(["/usr/bin/aws", "--endpoint-url", self.hearth.ready["s3"], "s3api",
                              "put-object", "--bucket", "hostile", "--key", "x/../../escaped"],
                             capture_output=True, text=True, timeout=120, env=self.aws())
        self.assertEqual(put.returncode, 0, put.stderr)
        (self.work / "below/here").mkdir(parents=True)
        done = self.run_s3("cp", "-r", "s3://hostile", self.work / "below/here", code=INVALID)
        self.assertIn(b"is no path below", done.stderr)
        self.assertFalse((self.work / "below/escaped").exists())

    def test_a_presigned_url_needs_no_keys(self):
        self.run_s3("mb", "s3://signed")
        self.run_s3("cp", "-", "s3://signed/a b", input=b"open")
        url = self.run_s3("presign", "s3://signed/a b", "--expires-in", "5m").stdout.decode()
        self.assertEqual(urllib.request.urlopen(url.strip(), timeout=60).read(), b"open")

    def test_another_store_is_named_by_flags_or_environment(self):
        nowhere = {"HEARTH_STATE": "/nonexistent"}
        keys = ["--access-key", self.hearth.ready["s3AccessKey"], "--secret-key",
                self.hearth.ready["s3SecretKey"]]
        self.run_s3("ls", "--endpoint", self.hearth.ready["s3"], *keys, environment=nowhere)
        self.run_s3("ls", environment={**nowhere, **self.aws(),
                                       "AWS_ENDPOINT_URL": self.hearth.ready["s3"],
                                       "HEARTH_STATE": "/nonexistent"})
        self.run_s3("ls", environment=nowhere, code=7)
        # Keys of a cloud in the environment don't reach the daemon, which does not know them.
        self.run_s3("ls", environment={"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x"})
        done = self.run_s3("ls", "--endpoint", self.hearth.ready["s3"], "--access-key", "wrong",
                           "--secret-key", "wrong", code=1)
        self.assertIn(b"InvalidAccessKeyId", done.stderr)

    def test_mistakes_are_named(self):
        done = self.run_s3("ls", "s3://nosuchbucket", code=NOT_FOUND)
        self.assertIn(b"hearth s3 mb s3://nosuchbucket", done.stderr)
        self.run_s3("cat", "photos/a", code=USAGE)
        self.run_s3("mb", "s3://BadName", code=USAGE)
        self.run_s3("cp", "/nonexistent", "s3://nosuchbucket/x", code=NOT_FOUND)
        self.run_s3("cp", "/tmp/a", "/tmp/b", code=INVALID)
        self.run_s3("cp", self.work, "s3://nosuchbucket/x", code=INVALID)
        self.run_s3(code=USAGE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
