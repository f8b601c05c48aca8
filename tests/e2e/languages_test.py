"""A language that Hearth doesn't know, brought by a folder: samples/fourth-language."""

import json
import shutil
import unittest

from daemon import ROOT, Daemon, wait_for

SAMPLE = ROOT / "samples/fourth-language"


@unittest.skipUnless(shutil.which("perl"), "perl is absent")
class FourthLanguage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hearth = Daemon("--languages", str(SAMPLE / "languages"))
        cls.hearth.start()
        cls.hearth.kubectl("apply", "-f", str(SAMPLE / "function.yaml"))
        cls.hearth.wait_ready("hello-perl")

    @classmethod
    def tearDownClass(cls):
        cls.hearth.__exit__()

    def ask(self, body):
        status, _, answer = self.hearth.call("hello-perl.default.localhost", body)
        return status, answer

    def test_its_functions_are_built_and_answer(self):
        status, body = self.ask('{"name":"Ada"}')
        self.assertEqual((status, json.loads(body)), (200, {"message": "Hello, Ada!"}))
        self.assertEqual(self.ask("{")[0], 400)

    def test_the_schema_names_it_beside_the_others(self):
        crd = json.loads(self.hearth.kubectl("get", "crd", "lambdafunctions.lambda.knative.io",
                                             "-o", "json"))
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
        allowed = schema["spec"]["properties"]["runtime"]["properties"]["language"]["enum"]
        self.assertEqual(sorted(allowed), ["go", "nodejs", "perl", "python"])

    def test_a_handler_that_does_not_load_is_told(self):
        self.hearth.apply(self.hearth.function("broken", "sub other { 1 }\n1;\n", "perl", "5.36"))

        def told():
            found = self.hearth.get("lambdafunction", "broken") or {}
            return [one for one in found.get("status", {}).get("conditions", [])
                    if "has no sub handler" in one.get("message", "")]
        wait_for(told, 60, "the reason")


class NoLanguages(unittest.TestCase):
    def test_without_the_folder_its_functions_are_refused(self):
        with Daemon() as hearth:
            answer = hearth.kubectl("apply", "-f", str(SAMPLE / "function.yaml"), check=False)
        self.assertIn("perl", str(answer))


if __name__ == "__main__":
    unittest.main()
