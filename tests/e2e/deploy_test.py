"""hearth deploy: a folder becomes a function, an edit a new revision."""

import json
import os
import subprocess
import time
import unittest

from daemon import BINARY, Daemon, wait_for


class DeployTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hearth = Daemon()
        cls.hearth.start()

    @classmethod
    def tearDownClass(cls):
        cls.hearth.__exit__()

    def deploy(self, folder, *flags, code=0):
        done = subprocess.run([BINARY, "deploy", str(folder), *flags], text=True, timeout=180,
                              capture_output=True, env=self.hearth.environment())
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def folder(self, name, **files):
        folder = self.hearth.folder / name
        folder.mkdir()
        for file, content in files.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return folder

    def test_a_folder_with_modules_becomes_a_function_and_an_edit_rolls_out(self):
        folder = self.folder("My Orders", **{
            "main.py": "from lib.greet import greet\ndef handler(event):\n    return greet()\n",
            "lib/__init__.py": "", "lib/greet.py": "def greet():\n    return 'one'\n"})
        self.deploy(folder, "--wait")
        self.assertEqual(self.hearth.call("my-orders.default.localhost", "{}")[2], "one")
        for text in ("two", "three"):
            (folder / "lib/greet.py").write_text("def greet():\n    return '%s'\n" % text)
            started = time.monotonic()
            self.deploy(folder)
            wait_for(lambda: self.hearth.call("my-orders.default.localhost", "{}")[2] == text, 60,
                     "the edit to answer")
            print("edit to answer: %.0f ms" % ((time.monotonic() - started) * 1000))
        keys = subprocess.run(
            ["/usr/bin/aws", "--endpoint-url", self.hearth.ready["s3"], "s3", "ls", "--recursive",
             "s3://lambda-functions/deploy/default/my-orders/"], capture_output=True, text=True,
            timeout=60, env=dict(os.environ, AWS_ACCESS_KEY_ID=self.hearth.ready["s3AccessKey"],
                                 AWS_SECRET_ACCESS_KEY=self.hearth.ready["s3SecretKey"],
                                 AWS_DEFAULT_REGION="us-east-1")).stdout.splitlines()
        self.assertEqual(len(keys), 2, "the archive in use and the one before")
        self.assertIn("unchanged", self.deploy(folder))

    def test_function_yaml_says_the_rest(self):
        folder = self.folder("shop", **{
            "app.js": "exports.buy = async () => process.env.CURRENCY;\n",
            "function.yaml": json.dumps({
                "apiVersion": "lambda.knative.io/v1alpha1", "kind": "LambdaFunction",
                "metadata": {"name": "shop-api"},
                "spec": {"runtime": {"language": "nodejs", "handler": "app.buy"},
                         "env": [{"name": "CURRENCY", "value": "EUR"}]}})})
        self.deploy(folder, "--wait")
        self.assertIn("EUR", self.hearth.call("shop-api.default.localhost", "{}")[2])

    def test_ignored_files_stay_and_links_out_of_the_folder_are_refused(self):
        folder = self.folder("careful", **{
            "main.py": "import os\ndef handler(event):\n    return sorted(os.listdir('/app'))\n",
            ".gitignore": "*.secret\nbuild/\n", "a.secret": "x", "deep/b.secret": "x",
            "build/out.bin": "x", "deep/kept.txt": "x", ".git/config": "x"})
        (folder / "inside.py").symlink_to("main.py")
        self.deploy(folder, "--wait")
        names = json.loads(self.hearth.call("careful.default.localhost", "{}")[2])
        self.assertTrue({"main.py", "inside.py", "deep"} <= set(names), names)
        self.assertFalse({"a.secret", "build", ".git"} & set(names), names)
        (folder / "outside").symlink_to("/etc/passwd")
        self.assertIn("outside: the link leads out of the folder", self.deploy(folder, code=1))

    def test_what_the_server_refuses_is_named(self):
        folder = self.folder("refused", **{"main.py": "def handler(event):\n    return 1\n"})
        self.assertIn("%s: LambdaFunction \"Bad_Name\"" % folder,
                      self.deploy(folder, "--name", "Bad_Name", code=5))
        self.assertIn("runtime.language", self.deploy(folder, "--language", "cobol", code=5))
        manifest = folder / "function.yaml"
        head = "apiVersion: lambda.knative.io/v1alpha1\nkind: LambdaFunction\n"
        manifest.write_text(head + "spec:\n  scaling:\n    maxReplicas: abc\n")
        self.assertIn("%s:5:5: LambdaFunction \"refused\"" % manifest, self.deploy(folder, code=5))
        manifest.write_text(head + "spec: text\n")
        self.assertIn("%s:3:1: spec: expected a mapping" % manifest, self.deploy(folder, code=5))

    def test_a_folder_without_code_is_told_what_to_do(self):
        self.assertIn("--language", self.deploy(self.folder("empty", notes="x"), code=5))
        self.assertIn("no such folder", self.deploy(self.hearth.folder / "nowhere", code=3))


if __name__ == "__main__":
    unittest.main()
