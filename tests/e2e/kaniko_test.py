"""--build=kaniko with an executor that stands in for Kaniko's: it says its arguments and pushes."""

import os
import shutil
import subprocess
import unittest

from daemon import BINARY, Daemon, wait_for

EXECUTOR = r"""
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
)

func put(url, kind string, data []byte) {
	request, _ := http.NewRequest("PUT", url, strings.NewReader(string(data)))
	request.Header.Set("Content-Type", kind)
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode != 201 {
		fmt.Println("push failed:", err, response)
		os.Exit(3)
	}
}

func main() {
	destination := ""
	for _, argument := range os.Args[1:] {
		fmt.Println("argument", argument)
		if strings.HasPrefix(argument, "--destination=") {
			destination = strings.TrimPrefix(argument, "--destination=")
		}
	}
	dockerfile, err := os.ReadFile("/workspace/Dockerfile")
	if err != nil {
		fmt.Println("no Dockerfile:", err)
		os.Exit(2)
	}
	fmt.Println("first line", strings.SplitN(string(dockerfile), "\n", 2)[0])
	if strings.Contains(string(dockerfile), "refuseme") {
		fmt.Println("error building image: refused")
		os.Exit(1)
	}
	slash, colon := strings.Index(destination, "/"), strings.LastIndex(destination, ":")
	base := "http://" + destination[:slash] + "/v2/" + destination[slash+1:colon]
	config, _ := json.Marshal(map[string]interface{}{"architecture": "amd64", "os": "linux",
		"config": map[string]interface{}{"Cmd": []string{"/none"}},
		"rootfs": map[string]interface{}{"type": "layers", "diff_ids": []string{}}})
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(config))
	response, err := http.Post(base+"/blobs/uploads/", "", nil)
	if err != nil {
		fmt.Println("push failed:", err)
		os.Exit(3)
	}
	location := response.Header.Get("Location")
	if strings.HasPrefix(location, "/") {
		location = "http://" + destination[:slash] + location
	}
	separator := "?"
	if strings.Contains(location, "?") {
		separator = "&"
	}
	put(location+separator+"digest="+digest, "application/octet-stream", config)
	kind := "application/vnd.oci.image.manifest.v1+json"
	manifest, _ := json.Marshal(map[string]interface{}{"schemaVersion": 2, "mediaType": kind,
		"config": map[string]interface{}{"mediaType": "application/vnd.oci.image.config.v1+json",
			"digest": digest, "size": len(config)}, "layers": []string{}})
	put(base+"/manifests/"+destination[colon+1:], kind, manifest)
}
"""


class KanikoTest(unittest.TestCase):
    def up(self, *flags):
        return subprocess.run([BINARY, "up", "--ephemeral", "--port", "0", *flags], text=True,
                              capture_output=True, timeout=60)

    def test_a_missing_executor_is_an_error_at_start(self):
        done = self.up("--build", "kaniko")
        self.assertEqual(done.returncode, 5)
        self.assertIn("--kaniko-executor", done.stderr)
        done = self.up("--build", "kaniko", "--kaniko-executor", "/no/such/executor")
        self.assertEqual(done.returncode, 5)
        self.assertIn("/no/such/executor", done.stderr)

    def test_the_executor_gets_the_jobs_arguments_and_its_image_is_deployed(self):
        hearth = Daemon()
        self.addCleanup(shutil.rmtree, hearth.folder, True)
        source = hearth.folder / "executor.go"
        source.write_text(EXECUTOR)
        executor = hearth.folder / "executor"
        subprocess.run([shutil.which("go") or "/usr/local/go/bin/go", "build", "-trimpath", "-o",
                        executor, source], check=True, timeout=600,
                       env=dict(os.environ, CGO_ENABLED="0", GO111MODULE="off",
                                GOCACHE=os.path.join(os.environ["HEARTH_CACHE"], "go-build")))
        hearth.flags = ("--build", "kaniko", "--kaniko-executor", str(executor))
        with hearth:
            hearth.apply(hearth.function("built", "def handler(event): return 1\n"))
            status = lambda name: (hearth.get("lambdafunction", name) or {}).get("status", {})
            wait_for(lambda: status("built").get("buildStatus", {}).get("imageURI"), 120, "an image")
            log = hearth.kubectl("logs", "-l", "lambda.knative.io/name=built,job-name")
            self.assertIn("argument --context=dir:///workspace\n", log)
            self.assertIn("argument --dockerfile=/workspace/Dockerfile\n", log)
            self.assertRegex(log, r"argument --destination=\S+/default/built:[0-9a-f]{12}\n")
            self.assertIn("argument --force\n", log)
            self.assertIn("first line FROM python:3.11", log)
            refused = hearth.function("refused", "def handler(event): return 1\n",
                                      version="3.11-refuseme")
            hearth.apply(refused)
            wait_for(lambda: "error building image: refused" in str(status("refused")), 120,
                     "the executor's last lines")


if __name__ == "__main__":
    unittest.main()
