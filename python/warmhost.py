"""The warm host: a process that has the imports of kfp steps done and forks for each step.

The server starts it as `python warmhost.py FD MODULES`, where FD is one end of a Unix stream socket and
MODULES a JSON list of modules to import, and talks to it in messages: four bytes of length, big-endian,
then JSON.

    server -> host   {"op": "run", "id": 1, "args": [...], "env": {...}, "cwd": "...", "view": {...}}   with three
                     descriptors: the step's stdin, stdout and stderr, attached to the first byte of the length;
                     "view", which may be null, is what the step sees at some paths (see isolate)
    host -> server   {"op": "ready", "python": "3.11.7"}                                 once, when the imports are done
                     {"op": "started", "id": 1, "pid": 4711}
                     {"op": "failed", "id": 1, "error": "..."}                           the step could not be started
                     {"op": "exit", "id": 1, "pid": 4711, "code": 0, "signal": 0, "maxrss": 123}
                     {"op": "learned", "modules": ["pandas"]}                            what a step imported
                     {"op": "unsafe", "module": "x"}              x starts threads; the host ends

The host ends when the server closes its end, and takes the steps with it. It stays single-threaded: a fork
of a process with threads copies locks that nobody will ever release.
"""

import contextlib
import gc
import json
import os
import platform
import resource
import select
import signal
import socket
import struct
import sys

HEADER = struct.Struct(">I")
MAX_MESSAGE = 256 << 20
# Where a child writes what it learned; high, so that steps do not meet it by chance.
REPORT_FD = 200


def preimport(modules: list) -> None:
    """Import what every kfp step needs, then what earlier steps were seen to need."""
    os.environ["_KFP_RUNTIME"] = "true"
    import argparse
    import atexit  # noqa: F401
    import inspect  # noqa: F401
    import locale  # noqa: F401
    import logging  # noqa: F401
    import random  # noqa: F401
    import runpy  # noqa: F401
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


class Host:
    """The parent process: one socket, no threads."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = bytearray()
        self.fds = []
        self.children = {}  # pid -> id of the job
        self.reports = set()  # descriptors on which children say what they learned

    def send(self, message: dict) -> None:
        body = json.dumps(message).encode()
        self.sock.sendall(HEADER.pack(len(body)) + body)

    def serve(self) -> None:
        wake_r, wake_w = os.pipe()
        os.set_blocking(wake_r, False)
        os.set_blocking(wake_w, False)
        signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.send({"op": "ready", "python": platform.python_version()})
        while True:
            ready, _, _ = select.select([self.sock, wake_r, *self.reports], [], [])
            if wake_r in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_r, 4096)
            for fd in [f for f in ready if f in self.reports]:
                self.read_report(fd)
            self.reap()
            if self.sock in ready and not self.receive():
                self.end()
                return

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
            message = json.loads(bytes(self.buffer[HEADER.size : HEADER.size + size]))
            del self.buffer[: HEADER.size + size]
            self.handle(message)
        return True

    def handle(self, message: dict) -> None:
        if message.get("op") != "run":
            return
        stdio, self.fds = self.fds[:3], self.fds[3:]
        if len(stdio) != 3:
            self.send(
                {
                    "op": "failed",
                    "id": message["id"],
                    "error": "the step's descriptors did not arrive",
                }
            )
            return
        if message.get("view") and kernel is None:
            for fd in stdio:
                os.close(fd)
            self.send(
                {"op": "failed", "id": message["id"], "error": "this Python has no ctypes, which mounts take"}
            )
            return
        report_r, report_w = os.pipe()
        try:
            pid = os.fork()
        except OSError as e:
            for fd in (*stdio, report_r, report_w):
                os.close(fd)
            self.send({"op": "failed", "id": message["id"], "error": f"fork: {e}"})
            return
        if pid == 0:
            run_child(message, stdio, report_w)  # does not return
        for fd in (*stdio, report_w):
            os.close(fd)
        self.children[pid] = message["id"]
        self.reports.add(report_r)
        self.send({"op": "started", "id": message["id"], "pid": pid})

    def read_report(self, fd: int) -> None:
        data = os.read(fd, 65536)
        if data:
            with contextlib.suppress(ValueError):
                self.send({"op": "learned", "modules": json.loads(data)})
        self.reports.remove(fd)
        os.close(fd)

    def reap(self) -> None:
        while self.children:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            job = self.children.pop(pid, None)
            if job is None:
                continue
            code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0
            sig = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            self.send(
                {
                    "op": "exit",
                    "id": job,
                    "pid": pid,
                    "code": code,
                    "signal": sig,
                    "maxrss": usage.ru_maxrss,
                }
            )

    def end(self) -> None:
        for pid in self.children:
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)


def run_child(message: dict, stdio: list, report: int) -> None:
    """Become the step. Every path ends the process: nothing of the host may run on in it."""
    code = 1
    try:
        enter(message, stdio, report)
        before = set(sys.modules)
        code = call(message)
        code = finish(code)
        tell(REPORT_FD, before)
    except BaseException:
        with contextlib.suppress(BaseException):
            import traceback

            traceback.print_exc()
            sys.stderr.flush()
    finally:
        os._exit(code & 0xFF)


def enter(message: dict, stdio: list, report: int) -> None:
    """Make the forked process look like a new one."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for sig in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Move first: a descriptor that arrived may itself have a number below 3.
    high = [os.dup(fd) for fd in stdio]
    moved = os.dup2(report, REPORT_FD, inheritable=False)
    for number, fd in enumerate(high):
        os.dup2(fd, number, inheritable=True)
    os.closerange(3, moved)
    os.closerange(moved + 1, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 4096))
    os.umask(0o022)
    if message.get("view"):
        isolate(message["view"])
    os.chdir(message["cwd"])
    os.environ.clear()
    os.environ.update(message["env"])
    reset_time_zone()
    reset_randomness()
    reset_stdio()
    import tempfile

    tempfile.tempdir = None


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


def call(message: dict) -> int:
    """Run the kfp executor as `python -m` would and return the exit status."""
    import runpy

    main = "kfp.dsl.executor_main"
    sys.argv = [main, *message["args"]]
    sys.path[0] = os.getcwd()
    sys.modules.pop(main, None)
    try:
        runpy.run_module(main, run_name="__main__", alter_sys=True)
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


def tell(fd: int, before: set) -> None:
    """Say which top-level modules of the environment the step imported, if the host may import them too."""
    if not fork_is_safe():
        return
    new = {name.partition(".")[0] for name in set(sys.modules) - before}
    new -= {name.partition(".")[0] for name in before} | {"__main__", "ephemeral_component"}
    known = []
    for name in sorted(new):
        origin = getattr(getattr(sys.modules.get(name), "__spec__", None), "origin", None) or ""
        installed = origin in ("built-in", "frozen") or origin.startswith(
            (sys.prefix, sys.base_prefix)
        )
        if name.isidentifier() and installed:
            known.append(name)
    if known:
        os.write(fd, json.dumps(known[:100]).encode()[:4096])


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
    global kernel
    with contextlib.suppress(ImportError, OSError, AttributeError):
        kernel = Kernel()
    gc.collect()
    gc.freeze()
    host.serve()


if __name__ == "__main__":
    main()
