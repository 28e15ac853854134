"""The warm host: a process that has the imports of kfp steps done and forks for each step.

The server starts it as `python warmhost.py FD MODULES`, where FD is one end of a Unix stream socket and
MODULES a JSON list of modules to import, and talks to it in messages: four bytes of length, big-endian,
then JSON.

    server -> host   {"op": "run", "id": 1, "args": [...], "env": {...}, "cwd": "...", "view": {...}}   with three
                     descriptors: the step's stdin, stdout and stderr, attached to the first byte of the length;
                     "view", which may be null, is what the step sees at some paths (see isolate);
                     "reuse", if there, names a component whose steps one process may run, one after the other
    host -> server   {"op": "ready", "python": "3.11.7"}                                 once, when the imports are done
                     {"op": "started", "id": 1, "pid": 4711}                             before the step does anything
                     {"op": "failed", "id": 1, "error": "..."}                           the step could not be started
                     {"op": "exit", "id": 1, "pid": 4711, "code": 0, "signal": 0, "children": false}
                                                                   children: it may still have some
                     {"op": "lost", "id": 1}                       its process ended before it had the step
                     {"op": "learned", "modules": ["pandas"]}                            what a step imported
                     {"op": "unsafe", "module": "x"}              x starts threads; the host ends

Forks stand by: they are made, and wait for a step, while the host has nothing else to do. The host passes the
message on to one of them over a socket of its own, and the fork answers on it when its step is over; so the server
need not wait until the system has taken the process apart.

The host ends when the server closes its end, and takes the steps with it. It stays single-threaded: a fork
of a process with threads copies locks that nobody will ever release.
"""

import contextlib
import gc
import importlib.util
import json
import os
import platform
import resource
import selectors
import signal
import socket
import struct
import sys
import types

HEADER = struct.Struct(">I")
MAX_MESSAGE = 256 << 20
# A fork's end of its socket; high, so that steps do not meet it by chance.
SOCKET_FD = 200
# How many forks stand by.
STANDBY = 2
# A step that held more than this, in KiB, is over only when the system has its memory back.
LARGE = 256 << 10
MAIN = "kfp.dsl.executor_main"
# The exit status of a fork that got no step; the server knows it too.
NEVER_RAN = 87


def preimport(modules: list) -> None:
    """Import what every kfp step needs, then what earlier steps were seen to need."""
    os.environ["_KFP_RUNTIME"] = "true"
    import argparse
    import atexit  # noqa: F401
    import inspect  # noqa: F401
    import locale  # noqa: F401
    import logging  # noqa: F401
    import random  # noqa: F401
    import tempfile  # noqa: F401
    import threading  # noqa: F401
    import traceback  # noqa: F401
    import warnings  # noqa: F401

    import kfp
    import kfp.dsl
    import kfp.dsl.executor
    import kfp.dsl.kfp_config
    import kfp.dsl.utils  # noqa: F401
    import kfp_paths

    kfp_paths.patch()
    # The first parser of a process compiles patterns and looks for translations; every step would do so again.
    argparse.ArgumentParser(description="x").parse_known_args([])
    import importlib

    for name in modules:
        # Whatever a module does at import, the step that needs it will meet it itself.
        with contextlib.suppress(BaseException):
            importlib.import_module(name)
        if not fork_is_safe():
            raise UnsafeModuleError(name)


class UnsafeModuleError(Exception):
    """A module that must not be in a process that forks."""


def fork_is_safe() -> bool:
    """Report whether the process has exactly one thread, whoever started others."""
    import threading

    if threading.active_count() != 1:
        return False
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return True


class Main:
    """The module that kfp starts as the main program, found and compiled before it is needed."""

    def __init__(self) -> None:
        self.spec = importlib.util.find_spec(MAIN)
        self.code = self.spec.loader.get_code(MAIN)

    def run(self) -> None:
        """Do what `python -m` does."""
        module = types.ModuleType("__main__")
        module.__dict__.update(
            __file__=self.spec.origin,
            __cached__=self.spec.cached,
            __loader__=self.spec.loader,
            __package__=self.spec.parent,
            __spec__=self.spec,
        )
        sys.modules["__main__"] = module
        sys.argv[0] = self.spec.origin
        exec(self.code, module.__dict__)


class Fork:
    """A forked process, as the host sees it."""

    def __init__(self, pid: int, sock: socket.socket) -> None:
        self.pid = pid
        self.sock = sock
        self.job = None  # the id of the step it runs
        self.reuse = None


class Host:
    """The parent process: no threads, and one loop."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.main = None
        self.buffer = bytearray()
        self.fds = []
        self.forks = {}  # by pid
        self.standby = []
        self.idle = {}  # forks that wait for the next step of a component, by its name
        self.selector = selectors.DefaultSelector()

    def send(self, message: dict) -> None:
        body = json.dumps(message).encode()
        self.sock.sendall(HEADER.pack(len(body)) + body)

    def serve(self) -> None:
        wake_r, wake_w = os.pipe()
        os.set_blocking(wake_r, False)
        os.set_blocking(wake_w, False)
        signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(self.sock, selectors.EVENT_READ)
        self.selector.register(wake_r, selectors.EVENT_READ)
        self.add_standby()
        self.send({"op": "ready", "python": platform.python_version()})
        while True:
            # Nobody waits for the next fork, so whatever has arrived comes first.
            wanting = len(self.standby) < STANDBY
            events = self.selector.select(0 if wanting else None)
            if wanting and not events:
                self.add_standby()
            for key, _ in events:
                if key.fileobj is self.sock:
                    if not self.receive():
                        self.end()
                        return
                elif key.fileobj == wake_r:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake_r, 4096)
                    self.reap()
                elif key.data.pid in self.forks:
                    self.hear(key.data)

    def add_standby(self) -> None:
        try:
            self.standby.append(self.fork())
        except OSError:
            # A step that finds no fork tries once more, and says what is wrong.
            import time

            time.sleep(0.05)

    def fork(self) -> Fork:
        ours, theirs = socket.socketpair()
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if pid == 0:
            live(theirs, self.main)  # does not return
        theirs.close()
        fork = Fork(pid, ours)
        self.forks[pid] = fork
        self.selector.register(ours, selectors.EVENT_READ, fork)
        return fork

    def receive(self) -> bool:
        """Take what has arrived; False when the server has gone."""
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, 1 << 20, 16)
        except ConnectionError:
            return False
        if not data:
            return False
        self.fds.extend(fds)
        self.buffer += data
        while len(self.buffer) >= HEADER.size:
            (size,) = HEADER.unpack_from(self.buffer)
            if size > MAX_MESSAGE:
                return False
            if len(self.buffer) < HEADER.size + size:
                break
            frame = bytes(self.buffer[: HEADER.size + size])
            del self.buffer[: HEADER.size + size]
            self.handle(frame, json.loads(frame[HEADER.size :]))
        return True

    def handle(self, frame: bytes, message: dict) -> None:
        if message.get("op") != "run":
            return
        stdio, self.fds = self.fds[:3], self.fds[3:]
        try:
            if len(stdio) != 3:
                raise OSError("the step's descriptors did not arrive")
            if message.get("view") and kernel is None:
                raise OSError("this Python has no ctypes, which mounts take")
            fork = self.choose(message.get("reuse"))
        except OSError as e:
            self.send({"op": "failed", "id": message["id"], "error": str(e)})
        else:
            fork.job = message["id"]
            # First the server knows the process, then the process gets the step: so none runs that nobody knows.
            self.send({"op": "started", "id": fork.job, "pid": fork.pid})
            try:
                socket.send_fds(fork.sock, [frame[: HEADER.size]], stdio)
                fork.sock.sendall(frame[HEADER.size :])
            except OSError:
                self.send({"op": "lost", "id": fork.job})
                fork.job = None
                os.kill(fork.pid, signal.SIGKILL)
        finally:
            for fd in stdio:
                os.close(fd)

    def choose(self, reuse: "str | None") -> Fork:
        """Find the fork for a step."""
        idle = self.idle.get(reuse) if reuse else None
        if idle:
            return idle.pop()
        fork = self.standby.pop(0) if self.standby else self.fork()
        fork.reuse = reuse
        return fork

    def hear(self, fork: Fork) -> None:
        """Take a fork's report of its step's end."""
        try:
            data = fork.sock.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            # It has ended, or the step has closed what it did not know: its status tells.
            if fork in self.standby:
                self.standby.remove(fork)
            self.selector.unregister(fork.sock)
            fork.sock.close()
            return
        report = json.loads(data)
        if report["learned"]:
            self.send({"op": "learned", "modules": report["learned"]})
        self.over(fork, report["code"], 0, report["children"])
        if report["again"]:
            self.idle.setdefault(fork.reuse, []).append(fork)
            self.retire()

    def over(self, fork: Fork, code: int, sig: int, children: bool) -> None:
        if fork.job is not None:
            self.send(
                {
                    "op": "exit",
                    "id": fork.job,
                    "pid": fork.pid,
                    "code": code,
                    "signal": sig,
                    "children": children,
                }
            )
            fork.job = None

    def retire(self) -> None:
        """End the forks that have been idle longest when there are many."""
        while sum(map(len, self.idle.values())) > 2 * (os.cpu_count() or 1):
            reuse = next(iter(self.idle))
            fork = self.idle[reuse].pop(0)
            if not self.idle[reuse]:
                del self.idle[reuse]
            fork.sock.shutdown(socket.SHUT_WR)

    def reap(self) -> None:
        while self.forks:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            fork = self.forks.get(pid)
            if fork is None:
                continue
            if fork.sock.fileno() >= 0:
                if fork.job is not None and readable(fork.sock):
                    self.hear(fork)  # its report is better than its status
            if fork.sock.fileno() >= 0:
                self.selector.unregister(fork.sock)
                fork.sock.close()
            del self.forks[pid]
            if fork in self.standby:
                self.standby.remove(fork)
            idle = self.idle.get(fork.reuse, [])
            if fork in idle:
                idle.remove(fork)
            if os.WIFSIGNALED(status):
                self.over(fork, 0, os.WTERMSIG(status), False)
            else:
                self.over(fork, os.WEXITSTATUS(status), 0, False)

    def end(self) -> None:
        for fork in self.forks.values():
            if fork.job is not None:
                with contextlib.suppress(OSError):
                    os.killpg(fork.pid, signal.SIGKILL)


def readable(sock: socket.socket) -> bool:
    import select

    return bool(select.select([sock], [], [], 0)[0]) if sock.fileno() < 1024 else False


def live(sock: socket.socket, main: Main) -> None:
    """Be a fork: wait for a step, run it, tell the host. Every path ends the process: nothing of the host may run on."""
    code = NEVER_RAN
    try:
        stand_by(sock)
        job = take()
        while job is not None:
            code = 1
            message, stdio = job
            before = set(sys.modules)
            enter(message, stdio)
            code, again = perform(message, main)
            learned = news(before)
            job = None
            if again:
                tell(code, learned, again=True)
                job = take()
                code = 0
            elif resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < LARGE:
                tell(code, learned, again=False)
    except BaseException:
        code = 1
        with contextlib.suppress(BaseException):
            import traceback

            traceback.print_exc()
            sys.stderr.flush()
    finally:
        os._exit(code & 0xFF)


def stand_by(sock: socket.socket) -> None:
    """Leave the host: nothing of it may be held or heard any more."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for sig in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(sock.detach(), SOCKET_FD, inheritable=False)
    os.closerange(3, SOCKET_FD)
    os.closerange(SOCKET_FD + 1, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 4096))
    os.umask(0o022)
    reset_randomness()
    rehearse()


def rehearse() -> None:
    """Do a little of what every step does. The system copies each page of a fork when it is first written to, and
    Python writes to whatever it uses: better while nobody waits."""
    import argparse
    import logging

    parser = argparse.ArgumentParser(description="x")
    parser.add_argument("--x", type=str, required=True, help="x")
    parser.parse_known_args(["--x", "1"])
    record = logging.LogRecord("x", logging.INFO, "x", 1, "%s", ("x",), None)
    logging.Formatter("%(asctime)s %(message)s").format(record)
    json.loads(json.dumps({"x": [1, None, "x"]}, indent=4))
    exec(compile("import kfp\ndef f(x: int) -> int:\n    return x\n", "x", "exec"), {"__name__": "x"})


def take() -> "tuple | None":
    """Wait for a step and its descriptors; None when the host has gone or needs this process no more."""
    sock = socket.socket(fileno=SOCKET_FD)
    try:
        data, stdio, _, _ = socket.recv_fds(sock, HEADER.size, 3)
        data = bytearray(data)
        if not data:
            return None
        while len(data) < HEADER.size:
            data += sock.recv(HEADER.size - len(data))
        (size,) = HEADER.unpack(data)
        body = bytearray()
        while len(body) < size:
            more = sock.recv(min(size - len(body), 1 << 20))
            if not more:
                return None
            body += more
        return json.loads(body), stdio
    finally:
        sock.detach()


def tell(code: int, learned: list, again: bool) -> None:
    """Say that the step is over. Its output must be complete: the server reads it up to its end."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    report = {"code": code & 0xFF, "learned": learned, "again": again, "children": has_children()}
    with contextlib.suppress(OSError):
        sock = socket.socket(fileno=SOCKET_FD)
        sock.sendall(json.dumps(report).encode())
        sock.detach()


def has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def enter(message: dict, stdio: list) -> None:
    """Make the process look like a new one."""
    # Move first: a descriptor that arrived may itself have a number below 3.
    high = [os.dup(fd) if fd < 3 else fd for fd in stdio]
    for number, fd in enumerate(high):
        os.dup2(fd, number, inheritable=True)
    for fd in {*stdio, *high}:
        if fd > 2:
            os.close(fd)
    if message.get("view"):
        isolate(message["view"])
    os.chdir(message["cwd"])
    os.environ.clear()
    os.environ.update(message["env"])
    reset_time_zone()
    reset_stdio()
    import tempfile

    tempfile.tempdir = None


def perform(message: dict, main: Main) -> tuple:
    """Run the step to its end; returns its exit status, and whether the process may run another."""
    code = call(message, main)
    if message.get("reuse") and code == 0 and fork_is_safe() and flush():
        return 0, True
    return finish(code), False


CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_NOSUID, MS_NODEV, MS_BIND, MS_MOVE, MS_REC, MS_SLAVE = 2, 4, 4096, 8192, 16384, 1 << 19
MNT_DETACH = 2


class Kernel:
    """The system calls of isolate. os.unshare came with Python 3.12, and mount is in no version."""

    def __init__(self) -> None:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        text, flags = ctypes.c_char_p, ctypes.c_ulong
        self.errno = ctypes.get_errno
        self.calls = {}
        for name, types in {
            "unshare": [ctypes.c_int],
            "mount": [text, text, text, flags, text],
            "pivot_root": [text, text],
            "umount2": [text, ctypes.c_int],
            "capset": [text, text],
        }.items():
            self.calls[name] = getattr(libc, name)
            self.calls[name].argtypes = types

    def __call__(self, name: str, *args) -> None:
        args = [os.fsencode(a) if isinstance(a, str) else a for a in args]
        if self.calls[name](*args) != 0:
            e = self.errno()
            raise OSError(e, f"{name} {args}: {os.strerror(e)}")


kernel = None  # a Kernel, where there is ctypes


def isolate(view: dict) -> None:
    """Give this process mounts of its own: the view that internal/adapter/runner/view.go planned."""
    uid, gid = os.geteuid(), os.getegid()
    user = view.get("user", False)
    kernel("unshare", CLONE_NEWNS | (CLONE_NEWUSER if user else 0))
    if user:
        # Its own numbers stay what they are; others have no name in there.
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            with open("/proc/self/" + name, "w") as f:
                f.write(text)
    kernel("mount", None, "/", None, MS_REC | MS_SLAVE, None)
    for m in view["mounts"]:
        if m.get("source"):
            kernel("mount", m["source"], m["target"], None, MS_BIND | MS_REC, None)
        else:
            size = f"mode=1777,size={m['memory']}"
            kernel("mount", "tmpfs", m["target"], "tmpfs", MS_NOSUID | MS_NODEV, size)
    if view.get("root"):
        os.chdir(view["root"])
        try:
            kernel("pivot_root", ".", ".")
        except OSError:
            # The root of an initial RAM disk cannot be put aside, but it can be covered.
            kernel("mount", ".", "/", None, MS_MOVE, None)
            os.chroot(".")
        else:
            kernel("umount2", ".", MNT_DETACH)
    if user:
        # As a program that is started would: without the rights over its own namespace.
        version_3 = struct.pack("=Ii", 0x20080522, 0)
        kernel("capset", version_3, bytes(24))


def reset_time_zone() -> None:
    import time

    if hasattr(time, "tzset"):
        time.tzset()


def reset_randomness() -> None:
    """Steps must not share the host's random numbers."""
    import random

    random.seed()
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()


def reset_stdio() -> None:
    lines = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdout.reconfigure(line_buffering=lines)
    sys.stderr.reconfigure(line_buffering=True)


def call(message: dict, main: Main) -> int:
    """Run the kfp executor as `python -m` would and return the exit status."""
    sys.argv = [MAIN, *message["args"]]
    sys.path[0] = os.getcwd()
    try:
        main.run()
    except SystemExit as e:
        return exit_status(e)
    except KeyboardInterrupt as e:
        show(e)
        flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        return 130
    except BaseException as e:
        show(e)
        return 1
    return 0


def exit_status(e: SystemExit) -> int:
    if e.code is None:
        return 0
    if isinstance(e.code, int):
        return e.code
    print(e.code, file=sys.stderr)
    return 1


def show(e: BaseException) -> None:
    """Print a traceback without the frames of this file."""
    tb = e.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename == __file__:
        tb = tb.tb_next
    flush()
    sys.excepthook(type(e), e.with_traceback(tb), tb)


def finish(code: int) -> int:
    """What an interpreter does at its end: join threads, run exit functions, flush."""
    import atexit
    import threading

    try:
        threading._shutdown()
    except BaseException as e:
        show(e)
    atexit._run_exitfuncs()
    if not flush() and code == 0:
        return 120
    return code


def flush() -> bool:
    ok = True
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except BaseException:
            ok = False
    return ok


def news(before: set) -> list:
    """List the top-level modules of the environment that the step imported, if the host may import them too."""
    new = {name.partition(".")[0] for name in sys.modules if name not in before}
    new -= {"__main__", "ephemeral_component"}
    if not new or not fork_is_safe():
        return []
    new -= {name.partition(".")[0] for name in before}
    known = []
    for name in sorted(new):
        origin = getattr(getattr(sys.modules.get(name), "__spec__", None), "origin", None) or ""
        installed = origin in ("built-in", "frozen") or origin.startswith(
            (sys.prefix, sys.base_prefix)
        )
        if name.isidentifier() and installed:
            known.append(name)
    return known[:100]


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.path[0] = os.path.dirname(os.path.abspath(__file__))
    sock = socket.socket(fileno=int(sys.argv[1]))
    sock.setblocking(True)
    host = Host(sock)
    try:
        preimport(json.loads(sys.argv[2]) if len(sys.argv) > 2 else [])
    except UnsafeModuleError as e:
        host.send({"op": "unsafe", "module": str(e)})
        return
    host.main = Main()
    global kernel
    with contextlib.suppress(ImportError, OSError, AttributeError):
        kernel = Kernel()
    gc.collect()
    gc.freeze()
    host.serve()


if __name__ == "__main__":
    main()
