"""Fork server: a warm interpreter that becomes an instance of a Python function by fork(), and of
others by fork() and exec().

Started once by the host as `python3 -I zygote.py` with HEARTH_ZYGOTE_FD, a SOCK_SEQPACKET socket
on which each packet is one JSON object, and HEARTH_RUNTIME_PATH, the wrapper to preload.

    host -> zygote  {"op":"fork","id","app","sandbox","limits"} with the descriptors
                    [listen, control, stdout, stderr, order]
                    {"op":"prepare","id","argv","env","uid","rlimits"} with the descriptors
                    [listen, control, output]
                    {"op":"hand_over","id","prepared","app","hostname","limits","rlimits"}
                    with [order]
                    {"op":"kill","id","signal"}
    zygote -> host  {"op":"probed","degraded","programs"} (once: sandbox steps that are missing;
                                                           can a child become a program?)
                    {"op":"forked","id","pid"}
                    {"op":"error","id","message"}
                    {"op":"exited","id","pid","code","signal"}   (and "oom": true)

The order (environment, folders, user, rlimits) is a file that only the child reads: the memory of
the parent is the memory of all later children, so another function's secrets must not be in it.

The parent has one thread and never runs a line of a function. The child enters its sandbox, gives
up its rights and calls the wrapper's main(), or executes what the order says; a child whose sandbox
can't be made tells so on its control socket and ends. End of file on the host's socket kills every
child.

HEARTH_CONFINEMENT names a JSON file with what else confines a child, made by the host (zygote.cc):
the system call filter, landlock's rules and the folders of control groups. The part of the filter
that the parent can live with is in force already and is inherited.

Most of the cost of a fork is the copying of shared pages at their first touch, not the call. So
one spare child is kept that has been through this already: an order that finds it there is handed
over to it, and the next spare is made when the zygote has nothing else to do.

Programs of other languages can't be forked warm, but they can have what else a child is: an order
with "argv" makes it execute that program when it is confined.

One that takes long to start can be started ahead ("prepare"), confined as every child, and wait for
its order on HEARTH_ORDER_FD. When there is a function for it ("hand_over"), the parent steps into
its namespaces for a moment, mounts the function's files, and then passes the order on.
"""

import array
import base64
import ctypes
import errno
import fcntl
import gc
import importlib.abc  # noqa: F401  preloaded for functions, as the others marked so
import importlib.machinery
import importlib.util
import json
import logging  # noqa: F401
import os
import resource
import select
import signal
import socket
import struct
import sys
import threading  # noqa: F401
import time
import traceback

CLONE_NEWNS, CLONE_NEWUTS = 0x00020000, 0x04000000
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID = 0x08000000, 0x10000000, 0x20000000
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_REC, MS_PRIVATE = 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
SECCOMP_MODE_FILTER = 2
SYS_LANDLOCK_CREATE_RULESET, SYS_LANDLOCK_ADD_RULE, SYS_LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_RULE_PATH_BENEATH = 1
SYS_OPEN_TREE, SYS_MOVE_MOUNT, SYS_MOUNT_SETATTR = 428, 429, 442
AT_FDCWD, AT_EMPTY_PATH = 2 ** 64 - 100, 0x1000
OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = 1, 4
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4
CAPABILITY_VERSION_3 = 0x20080522

LISTEN_FD, CONTROL_FD, FIRST_FREE_FD = 3, 4, 5
FUNCTION_DESCRIPTORS, DESCRIPTORS_PER_FORK = 4, 5
DESCRIPTORS_PER_PROGRAM = 3
PACKET_BYTES_MAX = 1 << 18
FUNCTION_USER = 65532
RUNTIME_MODULE = "hearth_runtime"
# So long after an order the next spare child is made: sooner, it would take time from the child that
# starts; later, the next order would not find it.
SPARE_DELAY_SECONDS = 0.008
RESOURCE_LIMITS = {"as": resource.RLIMIT_AS, "nofile": resource.RLIMIT_NOFILE,
                   "nproc": resource.RLIMIT_NPROC, "fsize": resource.RLIMIT_FSIZE,
                   "core": resource.RLIMIT_CORE}
# Blocked around fork() until the wrapper has its handlers: process 1 of a pid namespace ignores
# a signal without a handler, so a stop that comes in that gap would be lost.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


# ---- system calls that Python doesn't offer -------------------------------------------------
# Prototypes are made once, before any fork: looking a symbol up costs more than the call.

libc = ctypes.CDLL(None, use_errno=True)


def prototype(name, *argument_types):
    function = getattr(libc, name)
    function.argtypes = argument_types
    function.restype = ctypes.c_int
    return function


libc_unshare = prototype("unshare", ctypes.c_int)
libc_setns = prototype("setns", ctypes.c_int, ctypes.c_int)
libc_mount = prototype("mount", ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p,
                       ctypes.c_ulong, ctypes.c_char_p)
libc_umount2 = prototype("umount2", ctypes.c_char_p, ctypes.c_int)
libc_prctl = prototype("prctl", ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong,
                       ctypes.c_ulong)
libc_capset = prototype("capset", ctypes.c_char_p, ctypes.c_char_p)
libc_sethostname = prototype("sethostname", ctypes.c_char_p, ctypes.c_size_t)
libc_syscall = prototype("syscall", ctypes.c_long, ctypes.c_ulong, ctypes.c_ulong,
                         ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
CAPABILITY_HEADER = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
NO_CAPABILITIES = bytes(24)


def call(function, *arguments):
    if function(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (function.__name__, os.strerror(number)))


def mount(source, target, kind, flags, options=None):
    encode = os.fsencode
    call(libc_mount, encode(source) if source else None, encode(target),
         encode(kind) if kind else None, flags, encode(options) if options else None)


# ---- what confines a child besides its sandbox ------------------------------------------------

class SystemCallFilter:
    """The rest of the filter, which a child installs when it needs no mounts any more."""

    def __init__(self, code):
        self.code = ctypes.create_string_buffer(code, len(code))  # of 8 bytes an instruction
        self.program = ctypes.create_string_buffer(
            struct.pack("@HP", len(code) // 8, ctypes.addressof(self.code)))
        self.address = ctypes.addressof(self.program)

    def install(self):
        call(libc_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, self.address, 0, 0)


class Landlock:
    """Rules are collected while a spare waits; restricting itself is one call then."""

    def __init__(self, attributes, rules, read_access):
        self.attributes = ctypes.create_string_buffer(struct.pack("=%dQ" % len(attributes),
                                                                  *attributes))
        self.size = 8 * len(attributes)
        self.rules = rules
        self.read_access = read_access
        self.ruleset = -1

    def collect(self):
        self.ruleset = libc_syscall(SYS_LANDLOCK_CREATE_RULESET,
                                    ctypes.addressof(self.attributes), self.size, 0, 0, 0)
        if self.ruleset < 0:
            raise SandboxError("landlock: %s" % os.strerror(ctypes.get_errno()))
        for path, folder_access, file_access in self.rules:
            try:
                self.add(path, folder_access if os.path.isdir(path) else file_access)
            except FileNotFoundError:
                pass

    def add(self, path, access):
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rule = ctypes.create_string_buffer(struct.pack("=Qi", access, folder))
            call(libc_syscall, SYS_LANDLOCK_ADD_RULE, self.ruleset, LANDLOCK_RULE_PATH_BENEATH,
                 ctypes.addressof(rule), 0, 0)
        finally:
            os.close(folder)

    def restrict(self, ruleset, application):
        """`ruleset`: the descriptor under its present number."""
        self.ruleset = ruleset
        if self.read_access and application:
            self.add(application, self.read_access)
        call(libc_syscall, SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0, 0, 0)


class ControlGroups:
    """A group a child, made by the parent and entered by the child itself. Where a group's limits
    are the last one's, nothing is left to do when the order comes."""

    def __init__(self, folders, entrances, events):
        self.folders = folders  # by hierarchy
        self.entrances = [one.split("/") for one in entrances]
        self.events = events.split("/") if events else None
        self.made = 0
        self.last_limits = []
        self.left = []  # not empty when their child had ended

    def make(self):
        self.made += 1
        group = Group(self, str(self.made))
        for folder in self.folders.values():
            os.mkdir(os.path.join(folder, group.name))
        group.limit(self.last_limits)
        return group

    def remove(self, group):
        self.left.append(group)
        self.left = [one for one in self.left if not one.remove()]

    def leave_alone(self):
        """In a child: the groups of others can't be seen any more."""
        for folder in self.folders.values():
            try:
                call(libc_umount2, os.fsencode(folder), MNT_DETACH)
            except OSError:
                pass  # not mounted here: without a jail it is the machine's own


class Group:
    def __init__(self, tree, name):
        self.tree = tree
        self.name = name
        self.limits = []

    def path(self, hierarchy, file):
        return os.path.join(self.tree.folders[hierarchy], self.name, file)

    def limit(self, limits):
        if limits == self.limits:
            return
        for name, value in limits:
            try:
                write_text(self.path(*name.split("/")), value)
            except FileNotFoundError:
                pass  # swap is not accounted on every kernel
        self.limits = self.tree.last_limits = limits

    def enter(self):
        for entrance in self.tree.entrances:
            write_text(self.path(*entrance), "0")

    def out_of_memory(self):
        if not self.tree.events:
            return False
        try:
            with open(self.path(*self.tree.events)) as events:
                return any(line.startswith("oom_kill ") and line.strip() != "oom_kill 0"
                           for line in events)
        except OSError:
            return False

    def remove(self):
        try:
            for folder in self.tree.folders.values():
                path = os.path.join(folder, self.name)
                if os.path.isdir(path):
                    os.rmdir(path)
        except OSError:
            return False
        return True


def write_text(path, text):
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


class Confinement:
    """What the host's file says; parts that the kernel lacks are None."""

    def __init__(self, path):
        said = {}
        if path:
            with open(path) as file:
                said = json.load(file)
        code = base64.b64decode(said.get("filter") or "")
        self.filter = SystemCallFilter(code) if code else None
        self.landlock = Landlock(**said["landlock"]) if said.get("landlock") else None
        self.groups = ControlGroups(**said["groups"]) if said.get("groups") else None


# ---- the sandbox of a child -----------------------------------------------------------------

class SandboxError(Exception):
    """The child must not run: it would see files that aren't its own."""


class StartError(Exception):
    """The program can't be executed."""


class Degradation:
    """Names of the sandbox steps that the kernel withholds here. Found out once by a probe
    child, inherited by every fork."""

    def __init__(self):
        self.steps = []
        self.settled = False  # from the probe on: what succeeded there may not fail

    def attempt(self, name, action, *arguments):
        """Runs one optional step. Steps known to fail aren't tried again."""
        if name in self.steps:
            return False
        try:
            action(*arguments)
            return True
        except PermissionError as error:
            if self.settled:
                raise SandboxError("%s: %s" % (name, error)) from None
            self.steps.append(name)
            return False


def leave_shared_namespaces():
    call(libc_unshare, CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS)
    # Own mounts must not appear in the fork server's namespace.
    mount(None, "/", None, MS_REC | MS_PRIVATE)


READ_ONLY = ctypes.create_string_buffer(struct.pack(
    "=QQQQ", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, 0, 0))
EMPTY = ctypes.create_string_buffer(b"\0")
APPLICATION = ctypes.create_string_buffer(b"/app\0")


def clone_application(source):
    """In the parent, which sees the images: a descriptor of a read-only mount of one of them, that
    is nowhere yet. So a child can let go of the images before it has an order, when nobody waits
    for it: unmounting takes longer than all other steps together."""
    path = ctypes.create_string_buffer(os.fsencode(source) + b"\0")
    tree = libc_syscall(SYS_OPEN_TREE, AT_FDCWD, ctypes.addressof(path),
                        OPEN_TREE_CLONE | os.O_CLOEXEC, 0, 0)
    if tree < 0:
        return -1
    if libc_syscall(SYS_MOUNT_SETATTR, tree, ctypes.addressof(EMPTY), AT_EMPTY_PATH,
                    ctypes.addressof(READ_ONLY), ctypes.sizeof(READ_ONLY)) < 0:
        os.close(tree)
        return -1
    return tree


def mount_application(tree):
    call(libc_syscall, SYS_MOVE_MOUNT, tree, ctypes.addressof(EMPTY), AT_FDCWD,
         ctypes.addressof(APPLICATION), MOVE_MOUNT_F_EMPTY_PATH)


def can_mount(tree):
    try:
        mount_application(tree)
        return True
    except OSError:
        return False


def mount_temporary_files():
    mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=64m,mode=1777")


def mount_processes():
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def hide_images():
    """All functions' code. What this child needs of it comes as a descriptor."""
    try:
        call(libc_umount2, b"/images", MNT_DETACH)
    except PermissionError:
        raise
    except OSError:
        pass  # nothing is mounted there: nothing to hide


def set_hostname(name):
    encoded = name.encode()[:64]
    call(libc_sethostname, encoded, len(encoded))


class Sandbox:
    """The sandbox of one child, in two steps: what needs no order, then what does."""

    def __init__(self, wanted, degradation, own_pid_namespace, confinement=None, group=None):
        self.wanted = wanted
        self.confinement = confinement or Confinement(None)
        self.group = group
        self.attempt = degradation.attempt
        self.own_pid_namespace = own_pid_namespace
        self.has_mounts = False

    def enter(self):
        if self.group:
            self.group.enter()
        self.enter_namespaces()
        if self.has_mounts and self.group:
            self.group.tree.leave_alone()
        if self.confinement.landlock:
            self.confinement.landlock.collect()

    def enter_namespaces(self):
        if not self.wanted:
            return
        self.has_mounts = self.attempt("namespaces", leave_shared_namespaces)
        if not self.has_mounts:
            return
        self.attempt("tmp", mount_temporary_files)
        # Without a pid namespace of its own the fresh /proc would show the same processes again.
        if self.own_pid_namespace:
            self.attempt("proc", mount_processes)
        self.attempt("images", hide_images)

    def fill(self, order, tree):
        if not self.wanted:
            return
        show_application(order, self.has_mounts, tree)
        if not self.has_mounts:
            return
        if order.get("hostname"):
            self.attempt("hostname", set_hostname, order["hostname"])

    def take_user(self, user):
        if user is not None and os.geteuid() == 0 and not become_user(user):
            self.attempt("user", become_nested_user, user)

    def close(self, order, ruleset):
        """The last step: what is forbidden from here on is forbidden for good."""
        if self.confinement.landlock:
            self.confinement.landlock.restrict(ruleset, order.get("app"))
            os.close(ruleset)
        if self.confinement.filter:
            self.confinement.filter.install()


def show_application(order, mounts, tree):
    source, target = order.get("app"), order.get("cwd", "/app")
    if not source or source == target:
        return  # the host's file system is laid out already
    if not mounts:
        raise SandboxError("no mount namespace, so %s can't be shown at /app" % source)
    if tree < 0:
        raise SandboxError("%s is not there, or this kernel can't show it at /app" % source)
    try:
        mount_application(tree)
    except OSError as error:
        raise SandboxError("can't show %s at /app: %s" % (source, error)) from None
    os.close(tree)


def become_nested_user(user):
    """In a user namespace of its own, where the only user is this one."""
    call(libc_unshare, CLONE_NEWUSER)
    write_text("/proc/self/setgroups", "deny")
    write_text("/proc/self/uid_map", "%d 0 1" % user)
    write_text("/proc/self/gid_map", "%d 0 1" % user)


def become_user(user):
    """False where there is no such user: in the namespace that an unprivileged daemon made there is
    only one, which has no rights outside of it."""
    try:
        os.setgid(user)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return False
        raise  # a right that is missing: on no account go on as root
    os.setgroups([])
    os.setuid(user)
    return True


def give_up_rights():
    call(libc_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    call(libc_capset, CAPABILITY_HEADER, NO_CAPABILITIES)
    end_with_parent()  # again, because setuid() clears it


def end_with_parent():
    call(libc_prctl, PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def limit_resources(limits, pid=0):
    """Of this process, or of a child."""
    for name, value in limits.items():
        if value is None or name not in RESOURCE_LIMITS:
            continue
        _soft, hard = resource.prlimit(pid, RESOURCE_LIMITS[name])
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.prlimit(pid, RESOURCE_LIMITS[name], (value, value))


# ---- the child ------------------------------------------------------------------------------

def take_descriptors(descriptors, kept=()):
    """Puts [listen, control, stdout, stderr] where the wrapper expects them and `kept` from
    FIRST_FREE_FD on, closes the rest."""
    # First out of the way: a target number may be in use by another one of them.
    moved = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 32)
             for one in (*descriptors[:FUNCTION_DESCRIPTORS], *kept)]
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(moved[2], 1)
    os.dup2(moved[3], 2)
    # Not for programs that the function starts: they would keep the instance's sockets open.
    os.dup2(moved[0], LISTEN_FD, inheritable=False)
    os.dup2(moved[1], CONTROL_FD, inheritable=False)
    for number, one in enumerate(moved[FUNCTION_DESCRIPTORS:]):
        os.dup2(one, FIRST_FREE_FD + number, inheritable=False)
    os.closerange(FIRST_FREE_FD + len(kept), 1 << 20)


def read_order(descriptor):
    size = os.fstat(descriptor).st_size
    return json.loads(os.pread(descriptor, size, 0))


def reset_signals():
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def set_environment(environment):
    os.environ.clear()
    os.environ.update(environment)
    os.environ["HEARTH_SOCKET_FD"] = str(LISTEN_FD)
    os.environ["HEARTH_CONTROL_FD"] = str(CONTROL_FD)
    if "TZ" in environment:
        time.tzset()


def set_import_path(directory, environment):
    """What python3 would have done at start-up; this interpreter was started isolated."""
    path = [directory] + [one for one in environment.get("PYTHONPATH", "").split(":") if one]
    sys.path[:0] = list(dict.fromkeys(path))
    sys.argv = [os.path.join(directory, "runtime.py")]
    # Directory listings from before the mounts would hide the function's modules. The others are
    # kept: freeing them would copy every page that holds one of their names.
    for entry in path:
        sys.path_importer_cache.pop(entry, None)


def begin_child(sandbox):
    """What a child can do before it has an order."""
    os.setsid()
    reset_signals()
    end_with_parent()
    sandbox.enter()


def complete_child(sandbox, descriptors):
    """The order; what it wants of the sandbox is done."""
    order = read_order(descriptors[4])
    kept = list(descriptors[DESCRIPTORS_PER_FORK:])  # the application, when there is a sandbox
    landlock = sandbox.confinement.landlock
    take_descriptors(descriptors, kept + ([landlock.ruleset] if landlock else []))
    sandbox.fill(order, FIRST_FREE_FD if kept else -1)
    sys.dont_write_bytecode = sandbox.wanted  # /app is read-only then
    sandbox.take_user(order.get("uid"))
    give_up_rights()
    limit_resources(dict({"core": 0}, **order.get("rlimits") or {}))
    sandbox.close(order, FIRST_FREE_FD + len(kept))
    os.chdir(order.get("cwd", "/app"))
    return order


def execute(argv, environment, *descriptors):
    """Becomes another program, which gets the instance's sockets and `descriptors`. Whatever it
    opens or starts is confined already."""
    for descriptor in (LISTEN_FD, CONTROL_FD, *descriptors):
        os.set_inheritable(descriptor, True)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores, and exec would keep so
        signal.signal(number, signal.SIG_DFL)
    if signal.sigpending() & set(STOP_SIGNALS):
        os._exit(0)  # as process 1 it would not even see them
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    try:
        os.execve(argv[0], argv, dict(environment, HEARTH_SOCKET_FD=str(LISTEN_FD),
                                      HEARTH_CONTROL_FD=str(CONTROL_FD)))
    except OSError as error:
        raise StartError("starting %s: executing: %s" % (argv[0], error.strerror)) from None


def run_ahead(program, sandbox, descriptors, orders):
    """Becomes a program that waits for its function. All that is missing is /app, which only the
    parent can bring."""
    listen, control, output = descriptors
    landlock = sandbox.confinement.landlock
    take_descriptors([listen, control, output, output],
                     [orders] + ([landlock.ruleset] if landlock else []))
    sandbox.take_user(program.get("uid"))
    give_up_rights()
    limit_resources(dict({"core": 0}, **program.get("rlimits") or {}))
    sandbox.close({}, FIRST_FREE_FD + 1)
    execute(program["argv"], dict(program["env"], HEARTH_ORDER_FD=str(FIRST_FREE_FD)),
            FIRST_FREE_FD)


def report_failure(error):
    message = {"type": "failed", "error": type(error).__name__, "message": str(error),
               "traceback": traceback.format_exc()}
    if isinstance(error, StartError):
        message.update(error="StartFailed", traceback="")
    os.write(CONTROL_FD, json.dumps(message).encode() + b"\n")


def run_child(runtime, sandbox, descriptors):
    """Never returns: whatever happens, the parent's loop must not run a second time here."""
    try:
        order = complete_child(sandbox, descriptors)
        environment = order.get("env") or {}
        if order.get("argv"):
            execute(order["argv"], environment)
        set_environment(environment)
        set_import_path(order.get("cwd", "/app"), environment)
        gc.enable()
        runtime.main()
    except BaseException as error:
        try:
            report_failure(error)
        except OSError:
            pass
    os._exit(1)


def run_spare(runtime, sandbox, inbox):
    """The spare child: ready but for the order, which it waits for."""
    try:
        rehearse(runtime)
        inbox = rehearse_order(inbox)
        begin_child(sandbox)
        packet, descriptors = receive_packet(inbox)
        if packet:
            run_child(runtime, sandbox, descriptors)
    finally:
        os._exit(1)


def rehearse(runtime):
    """Does what the wrapper will do, so that the pages it touches are this child's own by then."""
    set_environment({"HEARTH_SOCKET_FD": "0", "HANDLER": "main.handler"})
    limit_resources({"core": 0})
    server = runtime.Server(runtime.Settings(os.environ), None)
    server.install_signals()
    # Blocked before the handlers go: the order may have come already, and a stop behind it.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    reset_signals()
    server.poller.poll(0)
    os.close(server.wake_reader)
    os.close(server.wake_writer)
    rehearse_request(runtime, server)
    runtime.encode_json({"ts": runtime.timestamp(time.time()), "msg": "rehearsal"})


def rehearse_order(inbox):
    """Reads an order and takes its descriptors; `inbox` gets a new number."""
    order = os.memfd_create("order")
    os.write(order, b'{"env": {"A": "1"}, "rlimits": {"core": 0}}')
    read_order(order)
    null = os.open("/dev/null", os.O_RDWR)
    error = os.dup(2)
    take_descriptors([null, null, error, error], [inbox.fileno()])
    inbox.detach()
    set_import_path("/", {})
    sys.path.remove("/")
    return socket.socket(fileno=FIRST_FREE_FD)


def rehearse_request(runtime, server):
    function = server.function
    function.handler = rehearse_import().handler
    function.with_context = runtime.takes_context(function.handler)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = runtime.FramedConnection(ours, server.settings)
        headers = {"content-type": "application/json", "x-correlation-id": "rehearsal"}
        request = runtime.Request("POST", "/", headers, b"{}")
        reply = function.respond(request, connection)
        theirs.sendall(connection.encode_reply("POST", *reply))
        ours.recv(runtime.RECEIVE_BYTES)


def rehearse_import():
    """Finding, reading and compiling a module, without a file on any disk."""
    importlib.util.find_spec("hearth_no_such_module")
    sys.dont_write_bytecode = True
    source = os.memfd_create("main.py")
    try:
        os.write(source, b"def handler(event):\n    return {'hello': event.get('name')}\n")
        path = "/proc/self/fd/%d" % source
        return importlib.machinery.SourceFileLoader("hearth_rehearsal", path).load_module()
    finally:
        os.close(source)


# ---- the parent -----------------------------------------------------------------------------

class Child:
    """A forked process. The pidfd tells its end and can't mean another process later."""

    def __init__(self, pid, group):
        self.identity = None  # of the instance; a spare child has none yet
        self.pid = pid
        self.group = group
        self.pidfd = os.pidfd_open(pid)

    def kill(self, number):
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            pass


class Spare:
    """A child that waits for its order on `outbox`."""

    def __init__(self, child, outbox, sandboxed):
        self.child = child
        self.outbox = outbox
        self.sandboxed = sandboxed

    def hand_over(self, descriptors):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        self.outbox.sendmsg([b"order"], rights)
        self.outbox.close()


def pass_on(text, sender):
    """Past this process: what it reads would be in the memory of all its children. In pieces, when
    the pipe is small."""
    offset, size = 0, os.fstat(text).st_size
    while offset < size:
        offset += os.sendfile(sender, text, offset, size - offset)


class Prepared:
    """What leads to a program that was started ahead."""

    def __init__(self, sender, begun):
        self.sender = sender  # the pipe for its order
        self.begun = begun  # at its end once the program runs

    def wait_until_it_runs(self):
        """Before, its namespaces may still be the parent's own: what is mounted in them would be
        seen by all. Milliseconds, if at all."""
        os.read(self.begun, 1)

    def close(self):
        os.close(self.sender)
        os.close(self.begun)


class Zygote:
    """Serves the host's orders. One poll loop waits for orders and for children that end."""

    def __init__(self, host, runtime, confinement):
        self.host = host
        self.runtime = runtime
        self.confinement = confinement
        self.children = {}  # by pidfd
        self.by_identity = {}
        self.degradation = Degradation()
        self.pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self.poller = select.poll()
        self.poller.register(host, select.POLLIN)
        self.mounts = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        self.names = os.open("/proc/self/ns/uts", os.O_RDONLY | os.O_CLOEXEC)
        self.prepared = {}  # by the child's identity
        self.orders = {"fork": self.fork, "prepare": self.prepare, "hand_over": self.hand_over,
                       "kill": self.kill}
        self.spare = None
        # Not whenever there is none: a spare that ends by itself must not be made in a circle.
        self.spare_wanted = True
        self.spare_sandboxed = True
        self.spare_due = 0.0

    def run(self):
        self.tell(dict(self.probe_sandbox(), op="probed"))
        while True:
            events = self.poller.poll(self.milliseconds_to_spare())
            if not events:
                self.try_to_make_spare()
            for descriptor, _events in events:
                if descriptor in self.children:
                    self.reap(self.children[descriptor])
                else:
                    self.receive()

    def milliseconds_to_spare(self):
        if not self.spare_wanted:
            return None
        return max(0.0, (self.spare_due - time.monotonic()) * 1000)

    def receive(self):
        try:
            packet, descriptors = receive_packet(self.host)
        except ConnectionError:
            packet, descriptors = b"", []
        if not packet:
            self.leave()
        try:
            self.obey(packet, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def obey(self, packet, descriptors):
        order = {}
        try:
            order = json.loads(packet)
            self.orders[order["op"]](order, descriptors)
        except (ValueError, KeyError, TypeError, OSError, SandboxError) as error:
            identity = order.get("id") if isinstance(order, dict) else None
            self.tell({"op": "error", "id": identity,
                       "message": "%s: %s" % (type(error).__name__, error)})

    def tell(self, message):
        try:
            self.host.sendall(json.dumps(message).encode())
        except OSError:
            self.leave()

    def fork(self, order, descriptors):
        identity = order["id"]
        if len(descriptors) != DESCRIPTORS_PER_FORK:
            raise ValueError("needs %d descriptors, got %d"
                             % (DESCRIPTORS_PER_FORK, len(descriptors)))
        if identity in self.by_identity:
            raise ValueError("instance %r exists" % identity)
        tree = clone_application(order["app"]) if order.get("sandbox") and order.get("app") else -1
        if tree >= 0:
            descriptors.append(tree)  # closed with the others
        child = self.take_spare(order, descriptors) or self.fork_for(order, descriptors)
        self.identify(child, identity)
        self.tell({"op": "forked", "id": identity, "pid": child.pid})

    def identify(self, child, identity):
        self.by_identity.pop(child.identity, None)
        child.identity = identity
        self.by_identity[identity] = child

    def prepare(self, order, descriptors):
        if len(descriptors) != DESCRIPTORS_PER_PROGRAM:
            raise ValueError("needs %d descriptors, got %d"
                             % (DESCRIPTORS_PER_PROGRAM, len(descriptors)))
        if self.degradation.steps:
            raise PermissionError("a sandbox without %s can't be filled later"
                                  % ", ".join(self.degradation.steps))
        orders, sender = os.pipe()
        begun, begins = os.pipe()

        def run(sandbox):
            try:
                begin_child(sandbox)
                run_ahead(order, sandbox, descriptors, orders)
            finally:
                traceback.print_exc()
                os._exit(127)
        prepared = Prepared(sender, begun)
        try:
            child = self.spawn(True, run)
        except BaseException:
            prepared.close()
            raise
        finally:
            os.close(orders)
            os.close(begins)
        self.identify(child, order["id"])
        self.prepared[order["id"]] = prepared

    def hand_over(self, order, descriptors):
        prepared = self.prepared.pop(order["prepared"])
        child = self.by_identity[order["prepared"]]
        try:
            prepared.wait_until_it_runs()
            if child.group:
                child.group.limit(order.get("limits") or [])
            limit_resources(order.get("rlimits") or {}, child.pid)
            self.fill_from_outside(child, order)
            [text] = descriptors
            pass_on(text, prepared.sender)
        except BaseException:
            child.kill(signal.SIGKILL)
            raise
        finally:
            prepared.close()
        self.identify(child, order["id"])

    def fill_from_outside(self, child, order):
        tree = clone_application(order["app"])
        if tree < 0:
            raise SandboxError("%s is not there, or this kernel can't show it at /app"
                               % order["app"])
        try:
            call(libc_setns, child.pidfd, CLONE_NEWNS | CLONE_NEWUTS)
            try:
                mount_application(tree)
                set_hostname(order["hostname"])
            finally:
                self.return_to_own_mounts()
        finally:
            os.close(tree)

    def return_to_own_mounts(self):
        try:
            call(libc_setns, self.mounts, CLONE_NEWNS)
            call(libc_setns, self.names, CLONE_NEWUTS)
        except OSError:
            # What it would mount next would be seen by somebody else: the host starts a new one.
            traceback.print_exc()
            self.leave()

    def take_spare(self, order, descriptors):
        """The spare child with this order, or None when there is no fitting one."""
        spare, self.spare = self.spare, None
        self.spare_wanted = True
        self.spare_due = time.monotonic() + SPARE_DELAY_SECONDS
        self.spare_sandboxed = bool(order.get("sandbox"))
        if spare is None:
            return None
        try:
            if spare.sandboxed == self.spare_sandboxed:
                if spare.child.group:
                    spare.child.group.limit(order.get("limits") or [])
                spare.hand_over(descriptors)
                return spare.child
        except OSError:
            pass  # it has ended
        spare.outbox.close()
        spare.child.kill(signal.SIGKILL)
        return None

    def fork_for(self, order, descriptors):
        def run(sandbox):
            try:
                begin_child(sandbox)
            except BaseException as error:
                take_descriptors(descriptors)
                report_failure(error)
                os._exit(1)
            run_child(self.runtime, sandbox, descriptors)
        return self.spawn(bool(order.get("sandbox")), run, order.get("limits"))

    def try_to_make_spare(self):
        try:
            self.make_spare()
        except (OSError, SandboxError):
            traceback.print_exc()  # the next order is told what is wrong

    def make_spare(self):
        self.spare_wanted = False
        inbox, outbox = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def run(sandbox):
            # The parent's end must not stay open here: its end is how a spare learns to leave.
            outbox.close()
            run_spare(self.runtime, sandbox, inbox)
        child = self.spawn(self.spare_sandboxed, run)
        inbox.close()
        self.spare = Spare(child, outbox, self.spare_sandboxed)

    def spawn(self, sandboxed, run, limits=None):
        """Forks a child that does run(sandbox), which doesn't return."""
        group = self.confinement.groups.make() if self.confinement.groups else None
        if group and limits is not None:
            group.limit(limits)
        isolated = sandboxed and self.enter_new_pid_namespace()
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                run(Sandbox(sandboxed, self.degradation, isolated, self.confinement, group))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
            if isolated:
                self.return_to_own_pid_namespace()
        child = Child(pid, group)
        self.children[child.pidfd] = child
        self.poller.register(child.pidfd, select.POLLIN)
        return child

    def enter_new_pid_namespace(self):
        """The next fork becomes process 1 of a new pid namespace."""
        return self.degradation.attempt("pid namespace", call, libc_unshare, CLONE_NEWPID)

    def return_to_own_pid_namespace(self):
        """Without this a second unshare() is refused: it works from one's own namespace only."""
        call(libc_setns, self.pid_namespace, CLONE_NEWPID)

    def probe_sandbox(self):
        """Finds out in a throw-away child which steps this kernel withholds. A child that serves
        couldn't tell: the host is answered while it is still busy with its sandbox."""
        reader, writer = os.pipe()
        tree = clone_application("/images")
        isolated = self.enter_new_pid_namespace()
        pid = os.fork()
        if pid == 0:
            self.probe_in_child(writer, isolated, tree)
        os.close(writer)
        if tree >= 0:
            os.close(tree)
        if isolated:
            self.return_to_own_pid_namespace()
        with os.fdopen(reader, "rb") as answer:
            found = json.loads(answer.read()
                               or b'{"degraded": ["sandbox probe"], "programs": false}')
        os.waitpid(pid, 0)
        self.degradation.steps = found["degraded"]
        self.degradation.settled = True
        return found

    def probe_in_child(self, writer, isolated, tree):
        found = {"degraded": self.degradation.steps, "programs": False}
        try:
            sandbox = Sandbox(True, self.degradation, isolated)
            sandbox.enter()
            sandbox.fill({"hostname": "probe"}, -1)
            mounts = can_mount(tree)
            try:
                sandbox.take_user(FUNCTION_USER)
            except OSError:
                self.degradation.steps.append("user")
            found["programs"] = mounts and not self.degradation.steps
        finally:
            os.write(writer, json.dumps(found).encode())
            os._exit(0)

    def kill(self, order, _descriptors):
        child = self.by_identity.get(order["id"])
        if child is not None:  # else it has just ended, and the host is being told
            child.kill(order.get("signal", signal.SIGTERM))

    def reap(self, child):
        try:
            # What it left behind in its session: without a pid namespace nothing else ends that.
            os.killpg(child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        _pid, status = os.waitpid(child.pid, 0)
        self.forget(child)
        out_of_memory = child.group is not None and child.group.out_of_memory()
        if child.group:
            self.confinement.groups.remove(child.group)
        if child.identity is None:
            return  # a spare that nobody needed
        signaled = os.WIFSIGNALED(status)
        answer = {"op": "exited", "id": child.identity, "pid": child.pid,
                  "code": None if signaled else os.WEXITSTATUS(status),
                  "signal": os.WTERMSIG(status) if signaled else None}
        if out_of_memory:
            answer["oom"] = True
        self.tell(answer)

    def forget(self, child):
        self.poller.unregister(child.pidfd)
        os.close(child.pidfd)
        del self.children[child.pidfd]
        self.by_identity.pop(child.identity, None)
        if child.identity in self.prepared:
            self.prepared.pop(child.identity).close()
        if self.spare is not None and self.spare.child is child:
            self.spare.outbox.close()
            self.spare = None

    def leave(self):
        """The host has gone: so does everything that it started."""
        for child in self.children.values():
            child.kill(signal.SIGKILL)
        os._exit(0)


def receive_packet(sock):
    """One packet and the descriptors that came with it."""
    room = socket.CMSG_SPACE((DESCRIPTORS_PER_FORK + 1) * array.array("i").itemsize)
    packet, ancillary, flags, _address = sock.recvmsg(PACKET_BYTES_MAX, room,
                                                      socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[:len(data) - len(data) % descriptors.itemsize])
    if flags & socket.MSG_TRUNC:
        packet = b"truncated"  # answered as malformed
    return packet, list(descriptors)


def load_runtime(path):
    """Under a name of its own, so that a function may have a module called runtime."""
    spec = importlib.util.spec_from_file_location(RUNTIME_MODULE, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[RUNTIME_MODULE] = module
    spec.loader.exec_module(module)
    return module


def main():
    gc.disable()
    host = socket.socket(fileno=int(os.environ["HEARTH_ZYGOTE_FD"]))
    host.set_inheritable(False)
    runtime = load_runtime(os.environ["HEARTH_RUNTIME_PATH"])
    confinement = Confinement(os.environ.get("HEARTH_CONFINEMENT"))
    # A collection in a child would touch, and so copy, every page of what all of them share.
    gc.freeze()
    Zygote(host, runtime, confinement).run()


if __name__ == "__main__":
    main()
