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
                     {"op": "lost", "id": 1, "code": 0, "signal": 9}     its process ended before it had the step
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
import json
import mmap
import os
import platform
import resource
import selectors
import signal
import socket
import sys

import kfp_main
import stepmounts
import warmstep

MAX_MESSAGE = 256 << 20
# How many forks there may be at once.
MAX_FORKS = 4096
# How many forks stand by.
STANDBY = 2
# How many forks that share their process may wait for its next step: as many as steps run at once on a small machine.
IDLE = max(8, 2 * (os.cpu_count() or 1))


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
    warmstep.keep_no_bytecode()
    # The first parser of a process compiles patterns and looks for translations; every step would do so again.
    argparse.ArgumentParser(description="x").parse_known_args([])
    import importlib

    for name in modules:
        # Whatever a module does at import, the step that needs it will meet it itself.
        with contextlib.suppress(BaseException):
            importlib.import_module(name)
        if not warmstep.fork_is_safe():
            raise UnsafeModuleError(name)


class UnsafeModuleError(Exception):
    """A module that must not be in a process that forks."""


def ended() -> tuple:
    """Return the pid, exit status and signal of a child that has ended; the pid is 0 when there is none."""
    if not hasattr(os, "waitid"):  # macOS, before Python 3.13
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid and os.WIFSIGNALED(status):
            return pid, 0, os.WTERMSIG(status)
        return pid, os.WEXITSTATUS(status), 0
    found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if found is None:
        return 0, 0, 0
    if found.si_code == os.CLD_EXITED:
        return found.si_pid, found.si_status, 0
    return found.si_pid, 0, found.si_status


class Fork:
    """A forked process, as the host sees it."""

    def __init__(self, pid: int, sock: socket.socket, slot: int) -> None:
        self.pid = pid
        self.sock = sock
        self.job = None  # the id of the step it runs
        self.slot = slot
        self.reuse = None


class Host:
    """The parent process: no threads, and one loop."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.main = None
        self.buffer = bytearray()
        self.fds = []
        self.forks = {}  # by pid
        # A byte for each fork, shared with it: it says that the fork has the step it was given.
        self.taken = mmap.mmap(-1, MAX_FORKS)
        self.slots = list(range(MAX_FORKS))
        self.standby = []
        self.idle = {}  # forks that wait for the next step of a component, by its name
        self.selector = selectors.DefaultSelector()

    def send(self, message: dict) -> None:
        body = json.dumps(message).encode()
        self.sock.sendall(warmstep.HEADER.pack(len(body)) + body)

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
        if not self.slots:
            raise OSError(f"there are {MAX_FORKS} steps already")
        slot = self.slots.pop()
        ours, theirs = socket.socketpair()
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            self.slots.append(slot)
            raise
        if pid == 0:
            warmstep.live(theirs, self.main, self.taken, slot, self.is_calm())  # does not return
        theirs.close()
        fork = Fork(pid, ours, slot)
        self.forks[pid] = fork
        self.selector.register(ours, selectors.EVENT_READ, fork)
        return fork

    def is_calm(self) -> bool:
        """Report whether a processor is free: then nobody pays for what a fork does ahead of its step."""
        return sum(f.job is not None for f in self.forks.values()) < (os.cpu_count() or 1)

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
        while len(self.buffer) >= warmstep.HEADER.size:
            (size,) = warmstep.HEADER.unpack_from(self.buffer)
            if size > MAX_MESSAGE:
                return False
            if len(self.buffer) < warmstep.HEADER.size + size:
                break
            frame = bytes(self.buffer[: warmstep.HEADER.size + size])
            del self.buffer[: warmstep.HEADER.size + size]
            self.handle(frame, json.loads(frame[warmstep.HEADER.size :]))
        return True

    def handle(self, frame: bytes, message: dict) -> None:
        if message.get("op") != "run":
            return
        stdio, self.fds = self.fds[:3], self.fds[3:]
        try:
            if len(stdio) != 3:
                raise OSError("the step's descriptors did not arrive")
            if message.get("view") and stepmounts.kernel is None:
                raise OSError("this Python has no ctypes, which mounts take")
            fork = self.choose(message.get("reuse"))
        except OSError as e:
            self.send({"op": "failed", "id": message["id"], "error": str(e)})
        else:
            fork.job = message["id"]
            self.taken[fork.slot] = 0
            # First the server knows the process, then the process gets the step: so none runs that nobody knows.
            self.send({"op": "started", "id": fork.job, "pid": fork.pid})
            try:
                socket.send_fds(fork.sock, [frame[: warmstep.HEADER.size]], stdio)
                fork.sock.sendall(frame[warmstep.HEADER.size :])
            except OSError:
                os.kill(fork.pid, signal.SIGKILL)  # it has not got the step, and will be found so
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
        while sum(map(len, self.idle.values())) > IDLE:
            reuse = next(iter(self.idle))
            fork = self.idle[reuse].pop(0)
            if not self.idle[reuse]:
                del self.idle[reuse]
            fork.sock.shutdown(socket.SHUT_WR)

    def reap(self) -> None:
        """Report the forks that have ended, and only then let the system forget them: were this host killed in between,
        the server would still find their status."""
        while self.forks:
            try:
                pid, code, sig = ended()
            except ChildProcessError:
                return
            if pid == 0:
                return
            fork = self.forks.pop(pid, None)
            if fork is not None:
                self.bury(fork, code, sig)
            if hasattr(os, "waitid"):
                os.waitpid(pid, 0)

    def bury(self, fork: Fork, code: int, sig: int) -> None:
        if (
            fork.sock.fileno() >= 0
            and fork.job is not None
            and warmstep.readable(fork.sock.fileno())
        ):
            self.hear(fork)  # its report is better than its status
        if fork.sock.fileno() >= 0:
            self.selector.unregister(fork.sock)
            fork.sock.close()
        for waiting in (self.standby, self.idle.get(fork.reuse, [])):
            if fork in waiting:
                waiting.remove(fork)
        if fork.job is not None and not self.taken[fork.slot]:
            self.send({"op": "lost", "id": fork.job, "code": code, "signal": sig})
            fork.job = None
        self.over(fork, code, sig, False)
        self.slots.append(fork.slot)

    def end(self) -> None:
        for fork in self.forks.values():
            if fork.job is not None:
                with contextlib.suppress(OSError):
                    os.killpg(fork.pid, signal.SIGKILL)


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
    host.main = kfp_main.Main()
    stepmounts.prepare()
    gc.collect()
    gc.freeze()
    host.serve()


if __name__ == "__main__":
    main()
