"""The life of a fork of the warm host: it stands by, becomes a step, and tells the host how that ended.

What the step's own code sees must be what a new interpreter would show it; warmhost.py says how the two talk.
"""

import contextlib
import json
import mmap
import os
import resource
import select
import signal
import socket
import struct
import sys

import kfp_main
import stepmounts

# The file of a lightweight component: kfp names it so, and internal/adapter/runner/container.go writes it.
COMPONENT = "ephemeral_component.py"
HEADER = struct.Struct(">I")
# A fork's end of its socket; high, so that steps do not meet it by chance.
SOCKET_FD = 200
# A step that held more than this, in KiB, is over only when the system has its memory back.
LARGE = 256 << 10
# The exit status of a fork that got no step; the server knows it too.
NEVER_RAN = 87


def keep_no_bytecode() -> None:
    """Write no compiled copy of a component, which nobody would read: its file is made for one step.

    Making and removing that copy costs more than compiling a few functions.
    """
    from importlib.machinery import SourceFileLoader

    original = getattr(SourceFileLoader, "_cache_bytecode", None)
    if original is None:
        return

    def cache(self: SourceFileLoader, source: str, target: str, data: bytes) -> None:
        if os.path.basename(source) != COMPONENT:
            original(self, source, target, data)

    SourceFileLoader._cache_bytecode = cache


def readable(fd: int) -> bool:
    """Report whether something has arrived. select knows no descriptors from 1024 on."""
    return fd < 1024 and bool(select.select([fd], [], [], 0)[0])


def live(sock: socket.socket, main: kfp_main.Main, taken: mmap.mmap, slot: int, calm: bool) -> None:
    """Be a fork: wait for a step, run it, tell the host.

    Every path ends the process: nothing of the host may run on.
    """
    code = NEVER_RAN
    try:
        stand_by(sock, calm)
        job = take()
        while job is not None:
            code = 1
            taken[slot] = 1
            message, stdio = job
            before = set(sys.modules)
            enter(message, stdio)
            code, again = perform(message, main)
            learned = news(before)
            job = None
            if again:
                tell(code, learned, again=True)
                code = NEVER_RAN
                job = take()
            elif resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < LARGE:
                tell(code, learned, again=False)
    except BaseException:
        with contextlib.suppress(BaseException):
            import traceback

            traceback.print_exc()
            sys.stderr.flush()
    finally:
        os._exit(code & 0xFF)


def stand_by(sock: socket.socket, calm: bool) -> None:
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
    if calm and not readable(SOCKET_FD):
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
    code = compile("import kfp\ndef f(x: int) -> int:\n    return x\n", "x", "exec")
    exec(code, {"__name__": "x"})  # noqa: S102


def take() -> "tuple | None":
    """Wait for a step and its descriptors; None when the host has gone or needs this process no more."""
    sock = socket.socket(fileno=SOCKET_FD)
    try:
        data, stdio, _, _ = socket.recv_fds(sock, HEADER.size, 3)
        data = bytearray(data)
        if not read_up(sock, data, HEADER.size):
            return None
        body = bytearray()
        if not read_up(sock, body, HEADER.unpack(data)[0]):
            return None
        return json.loads(body), stdio
    except OSError:
        return None
    finally:
        sock.detach()


def read_up(sock: socket.socket, data: bytearray, size: int) -> bool:
    """Read until there are so many bytes; False when there will never be."""
    while len(data) < size:
        more = sock.recv(min(size - len(data), 1 << 20))
        if not more:
            return False
        data += more
    return True


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
        stepmounts.isolate(message["view"])
    os.chdir(message["cwd"])
    os.environ.clear()
    os.environ.update(message["env"])
    reset_time_zone()
    reset_stdio()
    import tempfile

    tempfile.tempdir = None


def perform(message: dict, main: kfp_main.Main) -> tuple:
    """Run the step to its end; returns its exit status, and whether the process may run another."""
    path = list(sys.path)
    code = call(message, main)
    if message.get("reuse") and code == 0 and fork_is_safe() and flush():
        sys.path[:] = path  # kfp adds the component's directory
        return 0, True
    return finish(code), False


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


def call(message: dict, main: kfp_main.Main) -> int:
    """Run the kfp executor as `python -m` would and return the exit status."""
    sys.argv = [kfp_main.NAME, *message["args"]]
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
    new -= {"__main__", COMPONENT.removesuffix(".py")}
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


def fork_is_safe() -> bool:
    """Report whether the process has exactly one thread, whoever started others."""
    import threading

    if threading.active_count() != 1:
        return False
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return True
