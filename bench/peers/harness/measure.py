"""What the run.py of every peer shares: the command line, the clock, the work, and the lines that are
printed.

    python run.py --mode isolated ready memory-idle chain=40 chain10ms=40 fanout=1000 cached=1000 first-step

prints one JSON object a line and measurement. A workload that the peer has no way to do gives a line with
`none`, one that fails a line with `error`; the others go on. Start reading at main.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import importlib.metadata
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, ClassVar

import memory
from body import MARKS

if TYPE_CHECKING:
    from types import FrameType

# How long a server may take to be ready, and a process to end after it was told to, in seconds.
READY_WITHIN = 120.0
STOP_WITHIN = 10.0
# Steps of the run that warms everything up before the first clock starts.
WARM_UP_STEPS = 3
# Repeats of the first step: one is short, so take the median of a few.
FIRST_STEPS = 5
# How long a server may settle before its idle memory is read, in seconds.
SETTLE = 3.0


@dataclass(frozen=True)
class Work:
    """One pipeline: a chain (each step waits for the one before) or a fan-out (then one waits for all)."""

    shape: str  # chain or fanout
    body: str  # noop, work or mark: see body.do
    steps: int  # without the step that ends a fan-out
    cache: bool = False  # results are kept for a re-run

    @property
    def total(self) -> int:
        """How many steps must have succeeded."""
        return self.steps + (self.shape == "fanout")


class NotOfferedError(Exception):
    """The peer has no way to do this; the text says why."""


class Peer:
    """One orchestrator in one mode. A subclass overrides what it has."""

    name: ClassVar[str]
    # The distribution whose version is reported.
    package: ClassVar[str]
    modes: ClassVar[tuple[str, ...]]
    # Whether (part of) it lives in this process, which then counts as its memory.
    inside: ClassVar[bool] = True
    # Whether runs are made by the server. One that only looks on is stopped before the clock starts.
    through_server: ClassVar[bool] = True

    def __init__(self, mode: str, folder: Path) -> None:
        self.mode = mode
        # For everything that is written; removed at the end.
        self.folder = folder

    def version(self) -> str:
        """The version that is measured."""
        return importlib.metadata.version(self.package)

    def prepare(self, works: list[Work]) -> None:
        """What a user does once, before the server starts: migrate a database, write files. Not timed."""

    def start(self) -> None:
        """Starts the server and returns once it takes runs."""
        raise NotOfferedError("no server")

    def stop(self) -> None:
        """Stops what start started."""

    def run(self, work: Work) -> Any:
        """Submits the work and returns once the client knows that it has succeeded. Timed. Returns a handle."""
        raise NotImplementedError

    def again(self, work: Work, first: Any) -> Any:
        """Like run, when the run whose handle is `first` has filled a cache with every result."""
        raise NotImplementedError

    def succeeded(self, handle: Any) -> int:
        """How many steps of that run have succeeded (or were found in the cache). Not timed."""
        raise NotImplementedError

    def processes(self) -> list[int]:
        """The processes that, with all below them, are the orchestrator."""
        return [os.getpid()]


class Session:
    """One start of a peer, and the workloads that are measured on it."""

    def __init__(self, peer: Peer, out: Callable[[dict[str, Any]], None]) -> None:
        self.peer = peer
        self.out = out
        self.serves = False
        self.marks = peer.folder / "marks"
        os.environ[MARKS] = str(self.marks)

    def measure(self, workload: str, steps: int) -> None:
        """Measures one workload and prints what came of it."""
        line: dict[str, Any] = {"workload": workload, "steps": steps}
        try:
            line |= getattr(self, workload.replace("-", "_"))(steps)
        except NotOfferedError as why:
            line["none"] = str(why)
        except Exception as error:
            traceback.print_exc()
            line["error"] = f"{type(error).__name__}: {error}"[:500]
        self.out(line)

    def chain(self, steps: int) -> dict[str, Any]:
        """No-op steps, each after the one before."""
        return self.time(Work("chain", "noop", steps))

    def chain10ms(self, steps: int) -> dict[str, Any]:
        """Steps of about 10 ms, each after the one before."""
        return self.time(Work("chain", "work", steps))

    def fanout(self, steps: int) -> dict[str, Any]:
        """No-op steps that wait for nothing, and one that waits for all of them."""
        return self.time(Work("fanout", "noop", steps))

    def cached(self, steps: int) -> dict[str, Any]:
        """The fan-out once more, when every step has its result in the cache."""
        work = Work("fanout", "noop", steps, cache=True)
        first = self.peer.run(work)
        self.check(work, first)
        began = time.perf_counter()
        handle = self.peer.again(work, first)
        took = time.perf_counter() - began
        self.check(work, handle)
        return {"seconds": took}

    def first_step(self, steps: int) -> dict[str, Any]:
        """From the submission of a pipeline of one step to the first line of that step."""
        samples = []
        for _ in range(FIRST_STEPS):
            self.marks.unlink(missing_ok=True)
            work = Work("chain", "mark", 1)
            began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            handle = self.peer.run(work)
            self.check(work, handle)
            (mark,) = self.marks.read_text().split()
            samples.append((int(mark) - began) / 1e9)
        return {"steps": 1, "seconds": sorted(samples)[len(samples) // 2], "samples": samples}

    def memory_idle(self, steps: int) -> dict[str, Any]:
        """The memory of the server before its first run."""
        if not self.serves:
            raise NotOfferedError("no server")
        time.sleep(SETTLE)
        pss, rss = memory.total(self.peer.processes(), self.peer.inside)
        return {"steps": 0, "pss_mib": pss, "rss_mib": rss}

    def memory_load(self, steps: int) -> dict[str, Any]:
        """The most memory during a fan-out, steps included."""
        work = Work("fanout", "noop", steps)
        with memory.Watch(self.peer.processes(), self.peer.inside) as watch:
            handle = self.peer.run(work)
        self.check(work, handle)
        return {"pss_mib": watch.pss, "rss_mib": watch.rss}

    def time(self, work: Work) -> dict[str, Any]:
        """Times one run."""
        began = time.perf_counter()
        handle = self.peer.run(work)
        took = time.perf_counter() - began
        self.check(work, handle)
        return {"seconds": took}

    def check(self, work: Work, handle: Any) -> None:
        """A time counts only if every step has run."""
        done = self.peer.succeeded(handle)
        if done != work.total:
            raise RuntimeError(f"{done} of {work.total} steps have succeeded")


# What each workload runs, for peers that must know their pipelines before the server starts.
WORKS: dict[str, Callable[[int], Work]] = {
    "chain": lambda n: Work("chain", "noop", n),
    "chain10ms": lambda n: Work("chain", "work", n),
    "fanout": lambda n: Work("fanout", "noop", n),
    "cached": lambda n: Work("fanout", "noop", n, cache=True),
    "first-step": lambda n: Work("chain", "mark", 1),
    "memory-load": lambda n: Work("fanout", "noop", n),
}


def main(kind: type[Peer]) -> None:
    """Measures what the command line asks for. What the peer prints goes to stderr: stdout is for the results."""
    parser = argparse.ArgumentParser(description=f"Measures {kind.name}.")
    parser.add_argument("--mode", choices=kind.modes, default=kind.modes[0])
    parser.add_argument(
        "workloads",
        nargs="+",
        metavar="WORKLOAD[=STEPS]",
        help=f"ready, memory-idle, {', '.join(WORKS)}; the first two before the others",
    )
    options = parser.parse_args()
    plan = [
        (name, int(steps or 1)) for name, _, steps in (w.partition("=") for w in options.workloads)
    ]
    for name, _ in plan:
        if name not in WORKS and name not in ("ready", "memory-idle"):
            parser.error(f"unknown workload {name!r}")

    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    logging.disable(logging.INFO)
    signal.signal(signal.SIGTERM, terminated)
    folder = Path(tempfile.mkdtemp(prefix=f"levada-bench-{kind.name.lower().replace('.', '-')}-"))
    os.chdir(folder)
    peer = kind(options.mode, folder)
    head = {"peer": kind.name, "version": peer.version(), "mode": options.mode}

    def out(line: dict[str, Any]) -> None:
        print(json.dumps(head | line), file=results, flush=True)

    try:
        session(peer, plan, out)
    except Exception as error:
        out({"workload": "session", "steps": 0, "error": f"{type(error).__name__}: {error}"[:500]})
        for log in folder.glob("*.log"):
            print(f"--- the end of {log.name}:\n{log.read_text()[-2000:]}", file=sys.stderr)
        raise
    finally:
        peer.stop()
        shutil.rmtree(folder, ignore_errors=True)


def session(peer: Peer, plan: list[tuple[str, int]], out: Callable[[dict[str, Any]], None]) -> None:
    """Starts the peer, warms it up and measures the plan."""
    measured = Session(peer, out)
    warm_up = Work("chain", "noop", WARM_UP_STEPS)
    peer.prepare([warm_up, *(WORKS[name](steps) for name, steps in plan if name in WORKS)])
    ready: dict[str, Any] = {"workload": "ready", "steps": 0}
    began = time.perf_counter()
    try:
        peer.start()
        ready["seconds"] = time.perf_counter() - began
        measured.serves = True
    except NotOfferedError as why:
        ready["none"] = str(why)
    asked = dict(plan)
    if "ready" in asked:
        out(ready)
    if "memory-idle" in asked:
        measured.measure("memory-idle", 0)
    if not peer.through_server:
        peer.stop()
    works = [(name, steps) for name, steps in plan if name in WORKS]
    if works:
        measured.check(warm_up, peer.run(warm_up))
    for name, steps in works:
        measured.measure(name, steps)


def terminated(number: int, frame: FrameType | None) -> None:
    """Turns a signal into an exception, so that servers are stopped."""
    raise SystemExit(128 + number)


def free_port() -> int:
    """A TCP port of this machine that nobody uses now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def script(name: str) -> str:
    """A command of the environment that runs this."""
    return str(Path(sys.executable).parent / name)


def spawn(
    args: Iterable[str], log: Path, env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a process of a server in a process group of its own."""
    with log.open("ab") as file:
        return subprocess.Popen(
            list(args), stdout=file, stderr=file, env=env, start_new_session=True
        )


def end(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """Stops process groups that spawn started."""
    processes = list(processes)
    for p in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGTERM)
    for p in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            p.wait(STOP_WITHIN)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGKILL)
        p.wait()


def answer(url: str) -> Any:
    """What a GET gives, as JSON where it is JSON, or None while there is no good answer."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            text = response.read().decode()
    except (OSError, http.client.HTTPException):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def wait_until(
    done: Callable[[], Any],
    within: float,
    what: str,
    process: subprocess.Popen[bytes] | None = None,
) -> Any:
    """Asks until the answer is true and returns it. It asks again after 1 % of the time that has passed, and
    never later than 20 ms, so that asking neither shows in the result nor slows what it waits for.
    """
    began = time.perf_counter()
    while not (result := done()):
        passed = time.perf_counter() - began
        if passed > within:
            raise TimeoutError(f"{what} took more than {within:.0f} s")
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"{what}: the process ended with {process.returncode}")
        time.sleep(min(0.02, max(0.001, passed / 100)))
    return result
