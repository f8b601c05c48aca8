"""Where functions come from: buckets, large contexts, Google's store, git; and what goes wrong there."""

import io
import json
import os
import subprocess
import tarfile
import unittest
import zipfile

from daemon import BINARY, Daemon, wait_for

HELLO = "def handler(event):\n    return 'hello'\n"


def archive(*entries, packed="gz"):
    """A tar of (TarInfo, bytes) pairs."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:" + packed) as tar:
        for info, data in entries:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def entry(name, kind=tarfile.REGTYPE, link="", mode=0o644):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def peak_bytes(pid):
    """The most memory that a process ever held (proc(5), VmHWM)."""
    with open("/proc/%d/status" % pid) as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


class SourcesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # A second daemon is "Google": its object store speaks the same XML API.
        cls.google = Daemon("--controllers", "none", "--s3-access-key", "GOOG1EHMAC",
                            "--s3-secret-key", "google-secret")
        cls.google.start()
        cls.hearth = Daemon("--gcs-endpoint", cls.google.ready["s3"])
        cls.hearth.start()

    @classmethod
    def tearDownClass(cls):
        cls.hearth.__exit__()
        cls.google.__exit__()

    def condition(self, name, kind):
        found = self.hearth.get("lambdafunction", name) or {}
        for condition in found.get("status", {}).get("conditions", []):
            if condition["type"] == kind:
                return condition
        return {}

    def wait_condition(self, name, kind, status, text=""):
        def holds():
            condition = self.condition(name, kind)
            fits = condition.get("status") == status and text in condition.get("message", "")
            return condition if fits else None
        return wait_for(holds, 120, "%s of %s to be %s: %s" % (kind, name, status, text))

    def s3(self, daemon, *arguments, input=None):
        environment = dict(os.environ, AWS_ACCESS_KEY_ID=daemon.ready["s3AccessKey"],
                           AWS_SECRET_ACCESS_KEY=daemon.ready["s3SecretKey"],
                           AWS_DEFAULT_REGION="us-east-1")
        done = subprocess.run(["/usr/bin/aws", "--endpoint-url", daemon.ready["s3"], "s3",
                               *arguments], env=environment, input=input, capture_output=True,
                              timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def upload(self, bucket, key, data, daemon=None):
        daemon = daemon or self.hearth
        self.s3(daemon, "mb", "s3://" + bucket)
        self.s3(daemon, "cp", "-", "s3://%s/%s" % (bucket, key), input=data)

    def apply_source(self, name, kind, **source):
        manifest = self.hearth.function(name, HELLO)
        manifest["spec"]["source"] = {"type": kind, kind: source}
        self.hearth.apply(manifest)

    def test_a_context_too_large_for_a_config_map_goes_through_the_bucket_and_is_removed(self):
        ballast = os.urandom(3 * 1024 * 1024)
        self.upload("large", "fn.tar.gz", archive(
            (entry("main.py"), b"import os\ndef handler(event):\n"
                               b"    return os.path.getsize('/app/ballast.bin')\n"),
            (entry("ballast.bin"), ballast)))
        self.apply_source("large", "minio", bucket="large", key="fn.tar.gz")
        self.hearth.wait_ready("large", timeout=120)
        self.assertEqual(self.hearth.call("large.default.localhost", "{}")[2], str(len(ballast)))
        job = json.loads(self.hearth.kubectl("get", "jobs", "-l", "lambda.knative.io/name=large",
                                             "-o", "json"))["items"][0]
        pod = job["spec"]["template"]["spec"]
        context = [a for a in pod["containers"][0]["args"] if a.startswith("--context=")]
        self.assertRegex(context[0], r"^--context=s3://lambda-functions/build-contexts/default/"
                                     r"large/[0-9a-f]{64}\.tar\.gz$")
        self.assertNotIn("initContainers", pod)
        self.assertIn({"name": "S3_FORCE_PATH_STYLE", "value": "true"}, pod["containers"][0]["env"])
        self.assertIsNone(self.hearth.get("configmap", "large-build-context"))
        wait_for(lambda: "tar.gz" not in self.s3(self.hearth, "ls", "--recursive",
                                                 "s3://lambda-functions"), 30,
                 "the context to be removed")

    def test_a_gcs_source_is_read_with_an_hmac_key(self):
        self.upload("google-bucket", "fns/main.py", HELLO.encode(), self.google)
        self.hearth.kubectl("create", "secret", "generic", "hmac",
                            "--from-literal=accesskey=GOOG1EHMAC",
                            "--from-literal=secretkey=google-secret")
        self.apply_source("google", "gcs", bucket="google-bucket", key="fns/main.py",
                          secretRef={"name": "hmac"})
        self.hearth.wait_ready("google")
        self.assertEqual(self.hearth.call("google.default.localhost", "{}")[2], "hello")

    def test_a_service_account_for_gcs_is_told_what_to_do(self):
        self.hearth.kubectl("create", "secret", "generic", "service-account",
                            '--from-literal=key.json={"type":"service_account","private_key":"x"}')
        self.apply_source("gaccount", "gcs", bucket="google-bucket", key="a.py",
                          secretRef={"name": "service-account"})
        message = self.wait_condition("gaccount", "SourceReady", "False")["message"]
        self.assertIn("HMAC", message)
        self.assertIn("service-account", message)

    def test_a_secret_without_keys_and_a_missing_secret_are_named(self):
        self.hearth.kubectl("create", "secret", "generic", "empty-ish", "--from-literal=user=x")
        self.apply_source("nokeys", "s3", bucket="some-bucket", key="a.py",
                          secretRef={"name": "empty-ish"})
        self.assertIn("it has user",
                      self.wait_condition("nokeys", "SourceReady", "False")["message"])
        self.apply_source("nosecret", "s3", bucket="some-bucket", key="a.py",
                          secretRef={"name": "not-there"})
        self.assertIn("not-there",
                      self.wait_condition("nosecret", "SourceReady", "False")["message"])

    def test_a_missing_bucket_then_a_missing_key_are_named_and_retried(self):
        self.apply_source("appears", "minio", bucket="appears-bucket", key="code/fn.py")
        self.wait_condition("appears", "SourceReady", "False",
                            'bucket "appears-bucket" does not exist')
        self.s3(self.hearth, "mb", "s3://appears-bucket")
        self.s3(self.hearth, "cp", "-", "s3://appears-bucket/other", input=b"x")
        self.wait_condition("appears", "SourceReady", "False",
                            'object "code/fn.py" does not exist in bucket "appears-bucket"')
        self.s3(self.hearth, "cp", "-", "s3://appears-bucket/code/fn.py", input=HELLO.encode())
        self.hearth.wait_ready("appears")
        self.assertEqual(self.condition("appears", "SourceReady")["status"], "True")

    def test_a_missing_prefix_is_named(self):
        self.s3(self.hearth, "mb", "s3://prefixes")
        self.apply_source("prefix", "minio", bucket="prefixes", key="nothing/here/")
        self.assertIn("prefixes/nothing/here/",
                      self.wait_condition("prefix", "SourceReady", "False")["message"])

    def answers(self, name):
        return self.hearth.call(name + ".default.localhost", "{}")[2]

    def test_an_upload_rebuilds_a_function_that_is_ready(self):
        self.upload("rebuilt", "fn.py", HELLO.encode())
        self.apply_source("rebuilt", "minio", bucket="rebuilt", key="fn.py")
        self.hearth.wait_ready("rebuilt")
        self.assertEqual(self.answers("rebuilt"), "hello")
        self.s3(self.hearth, "cp", "-", "s3://rebuilt/fn.py", input=HELLO.replace("hello", "again").encode())
        wait_for(lambda: self.answers("rebuilt") == "again", 60, "the new code")
        # What serves goes on when its source is removed, and the same code is no other source.
        self.s3(self.hearth, "rm", "s3://rebuilt/fn.py")
        self.wait_condition("rebuilt", "SourceReady", "False", "fn.py")
        self.assertEqual(self.answers("rebuilt"), "again")
        job = self.hearth.get("lambdafunction", "rebuilt")["status"]["buildStatus"]["jobName"]
        self.s3(self.hearth, "cp", "-", "s3://rebuilt/fn.py", input=HELLO.replace("hello", "again").encode())
        self.wait_condition("rebuilt", "SourceReady", "True")
        status = self.hearth.get("lambdafunction", "rebuilt")["status"]
        self.assertEqual((status["phase"], status["buildStatus"]["jobName"]), ("Ready", job))

    def test_a_half_finished_upload_of_a_prefix_is_named_and_then_built_whole(self):
        self.upload("halves", "fn/requirements.txt", b"")
        self.apply_source("halves", "minio", bucket="halves", key="fn/")
        message = self.wait_condition("halves", "SourceReady", "False", "requirements.txt")["message"]
        self.assertIn("no main.py", message)
        # The main file first: what it needs comes within the second that a prefix has to be quiet.
        self.s3(self.hearth, "cp", "-", "s3://halves/fn/main.py",
                input=b"import words\ndef handler(event):\n    return words.WORD\n")
        self.s3(self.hearth, "cp", "-", "s3://halves/fn/words.py", input=b"WORD = 'whole'\n")
        self.hearth.wait_ready("halves")
        wait_for(lambda: self.answers("halves") == "whole", 60, "the whole upload")

    def test_an_upload_rebuilds_a_function_whose_build_failed(self):
        self.upload("repaired", "fn/main.py", HELLO.encode())
        self.s3(self.hearth, "cp", "-", "s3://repaired/fn/requirements.txt", input=b"no-such-package-hearth==9.9.9\n")
        self.apply_source("repaired", "minio", bucket="repaired", key="fn/")
        self.wait_condition("repaired", "BuildReady", "False", "no-such-package-hearth")
        self.s3(self.hearth, "rm", "s3://repaired/fn/requirements.txt")
        self.hearth.wait_ready("repaired")
        self.assertEqual(self.answers("repaired"), "hello")

    def test_archives_that_leave_the_tree_are_refused(self):
        main = (entry("main.py"), HELLO.encode())
        special = "devices, sockets and pipes are refused"
        hostile = (
            (entry("../evil.py"), b"x", "../evil.py: leaves the folder"),
            (entry("/tmp/hearth-evil.py"), b"x", "/tmp/hearth-evil.py: absolute path"),
            (entry("secrets", tarfile.SYMTYPE, "/etc"), b"",
             "secrets: its target /etc leaves the folder"),
            (entry("up", tarfile.SYMTYPE, "../.."), b"", "up: its target ../.. leaves the folder"),
            (entry("hard", tarfile.LNKTYPE, "../../etc/passwd"), b"",
             "hard: ../../etc/passwd: leaves the folder"),
            (entry("disk", tarfile.BLKTYPE), b"", "disk: " + special),
            (entry("pipe", tarfile.FIFOTYPE), b"", "pipe: " + special))
        self.s3(self.hearth, "mb", "s3://hostile")
        # By number: a key that says what is wrong would stand in each message.
        for number, (member, data, _) in enumerate(hostile):
            self.s3(self.hearth, "cp", "-", "s3://hostile/%d.tar.gz" % number,
                    input=archive(main, (member, data)))
            self.apply_source("hostile-%d" % number, "minio", bucket="hostile",
                              key="%d.tar.gz" % number)
        for number, (member, _, reason) in enumerate(hostile):
            with self.subTest(member.name):
                condition = self.wait_condition("hostile-%d" % number, "SourceReady", "False")
                self.assertEqual(condition["message"],
                                 "s3://hostile/%d.tar.gz: %s" % (number, reason))
        self.assertFalse(os.path.exists("/tmp/hearth-evil.py"))

    def test_a_missing_git_ref_and_path_are_named(self):
        repository = self.hearth.folder / "repository"
        git = ["git", "-C", str(repository), "-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", "init", "-q", "-b", "main", str(repository)], check=True)
        (repository / "main.py").write_text(HELLO)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "one"], check=True)
        url = "file://%s" % repository
        self.apply_source("noref", "git", url=url, ref="v9-does-not-exist")
        self.assertIn("v9-does-not-exist",
                      self.wait_condition("noref", "SourceReady", "False")["message"])
        self.apply_source("nopath", "git", url=url, ref="main", path="no/such/folder")
        self.assertIn("no/such/folder",
                      self.wait_condition("nopath", "SourceReady", "False")["message"])
        # It appears: a retry finds it.
        subprocess.run([*git, "tag", "v9-does-not-exist"], check=True)
        self.hearth.wait_ready("noref")

    def test_a_failed_install_shows_the_last_lines_of_its_log(self):
        for name, language, version, dependencies, expected in (
                ("pyfails", "python", "3.11", "no-such-package-hearth==9.9.9\n", "no-such-package-hearth"),
                ("jsfails", "nodejs", "20", '{"left-pad": "no version!"}', "Invalid")):
            with self.subTest(name):
                code = HELLO if language == "python" else "exports.handler = () => 1;\n"
                self.hearth.apply(self.hearth.function(name, code, language, version,
                                                       dependencies=dependencies))
                message = self.wait_condition(name, "BuildReady", "False")["message"]
                self.assertIn(expected, message)
                self.assertIn("exit code", message)
                self.assertLessEqual(len(message.splitlines()), 22)

    def test_archives_are_known_by_what_is_in_them(self):
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as out:
            out.writestr("main.py", HELLO)
        main = (entry("main.py"), HELLO.encode())
        keys = {"fn.tar.xz": archive(main, packed="xz"), "fn.tar.bz2": archive(main, packed="bz2"),
                "release-1.2": archive(main), "nameless": zipped.getvalue()}
        self.s3(self.hearth, "mb", "s3://kinds")
        for i, (key, data) in enumerate(keys.items()):
            self.s3(self.hearth, "cp", "-", "s3://kinds/" + key, input=data)
            self.apply_source("kind-%d" % i, "minio", bucket="kinds", key=key)
        for i, key in enumerate(keys):
            with self.subTest(key):
                self.hearth.wait_ready("kind-%d" % i)
                self.assertEqual(self.answers("kind-%d" % i), "hello")
        self.s3(self.hearth, "cp", "-", "s3://kinds/fn.7z", input=b"7z\xbc\xaf\x27\x1c\x00\x04")
        self.apply_source("foreign", "minio", bucket="kinds", key="fn.7z")
        self.assertIn(".tar.gz", self.wait_condition("foreign", "SourceReady", "False")["message"])

    def test_an_archive_of_folders_without_end_is_refused_and_holds_nothing_up(self):
        deep = archive((entry("main.py"), HELLO.encode()), (entry("d/" * 2000 + "x"), b"1"))
        self.upload("deep", "fn.tar.gz", deep)
        self.apply_source("deep", "minio", bucket="deep", key="fn.tar.gz")
        message = self.wait_condition("deep", "SourceReady", "False")["message"]
        self.assertIn("d/d/d/", message)
        self.assertLess(len(message), 400)
        self.hearth.apply(self.hearth.function("shallow", HELLO))
        self.hearth.wait_ready("shallow")

    def test_a_prefix_without_the_handlers_file_is_told_what_is_there(self):
        self.upload("helpers", "fn/helper.py", b"A = 1\n")
        self.s3(self.hearth, "cp", "-", "s3://helpers/fn/other.py", input=b"B = 2\n")
        self.apply_source("helpers", "minio", bucket="helpers", key="fn/")
        message = self.wait_condition("helpers", "SourceReady", "False", "other.py")["message"]
        self.assertIn("no main.py; it has helper.py, other.py", message)
        self.s3(self.hearth, "cp", "-", "s3://helpers/fn/main.py", input=HELLO.encode())
        self.hearth.wait_ready("helpers")

    @unittest.skipIf("/asan/" in BINARY or "/tsan/" in BINARY, "a sanitizer keeps memory, too")
    def test_a_source_is_held_in_memory_once(self):
        size = 250 << 20
        with Daemon() as hearth:
            self.s3(hearth, "mb", "s3://zeros")
            self.s3(hearth, "cp", "-", "s3://zeros/fn.tar.gz",
                    input=archive((entry("main.py"), HELLO.encode()), (entry("z"), bytes(size))))
            before = peak_bytes(hearth.process.pid)
            manifest = hearth.function("zeros", HELLO)
            manifest["spec"]["source"] = {"type": "minio",
                                          "minio": {"bucket": "zeros", "key": "fn.tar.gz"}}
            hearth.apply(manifest)
            hearth.wait_ready("zeros", timeout=120)
            self.assertLess(peak_bytes(hearth.process.pid) - before, size * 3 // 2)

    def test_a_broken_archive_is_named(self):
        self.upload("broken-archives", "fn.tar.gz", b"this is no archive")
        self.apply_source("notar", "minio", bucket="broken-archives", key="fn.tar.gz")
        self.assertIn("fn.tar.gz", self.wait_condition("notar", "SourceReady", "False")["message"])


if __name__ == "__main__":
    unittest.main()
