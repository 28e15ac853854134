"""Runs an example on a server that it starts and stops.

That is flights, flights-monitor with --loop, or flights-serve with --serve. `make demo`, `make demo-loop` and
`make demo-serve` call it; the binary and the client's environment exist by then. Standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BINARY = ROOT / "bin" / "levada"
DATA = ROOT / ".levada"
STATE = ROOT / ".cache" / "demo"
LOG = STATE / "server.log"
SUMMARY = STATE / "summary.json"

# A proxy that the environment names is not for this machine's own server.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

READY_WITHIN = 60.0
STOP_WITHIN = 70.0  # the server itself gives steps and requests up to a minute


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


def get(url: str, timeout: float = 10.0) -> Any:
    """Fetches a JSON document."""
    with DIRECT.open(url, timeout=timeout) as answer:
        return json.load(answer)


def answers(url: str) -> bool:
    """Tells whether the server at url says that it is ready."""
    try:
        with DIRECT.open(url + "/readyz", timeout=2.0) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def running_server() -> str | None:
    """Finds a server that works on the demo's data already, say of a demo in another terminal."""
    try:
        url = json.loads((DATA / "server.json").read_text())["url"]
        folder = get(f"{url}/api/v1/info", timeout=3.0)["data_dir"]
        return url if DATA.samefile(folder) and answers(url) else None
    except (OSError, ValueError, KeyError):
        return None


def choose_port(wanted: int) -> int:
    """Returns the wanted port, or a free one when something else uses it."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            # Like the server, the probe may take a port whose last connections still close.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            chosen = probe.getsockname()[1]
            if chosen != wanted:
                print(f"port {wanted} is in use by another program, taking {chosen}")
            return chosen
    raise DemoError("no free port was found on 127.0.0.1")


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Puts off SIGINT and SIGTERM until the block has ended."""
    came: list[int] = []
    before = {
        s: signal.signal(s, lambda signum, _frame: came.append(signum))
        for s in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    if came:
        raise KeyboardInterrupt


class Server:
    """A Levada server of our own: started, waited for, and stopped whatever happens."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the server; an interrupt meanwhile is raised once the process is known."""
        STATE.mkdir(parents=True, exist_ok=True)
        # With uv, the environments of the steps are built in seconds.
        path = str(ROOT / ".cache" / "bin") + os.pathsep + os.environ.get("PATH", "")
        with LOG.open("wb") as log, uninterrupted():
            # A session of its own: Ctrl-C reaches this program alone, which stops the server.
            self.process = subprocess.Popen(
                [str(BINARY), "up", "--data", str(DATA), "--listen", f"127.0.0.1:{self.port}"],
                cwd=ROOT,
                env={**os.environ, "PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Returns when the server takes requests."""
        assert self.process
        deadline = time.monotonic() + READY_WITHIN
        while not answers(self.url):
            status = self.process.poll()
            if status is not None:
                raise DemoError(
                    f"the server ended with status {status} before it was ready:\n{log_tail()}"
                )
            if time.monotonic() > deadline:
                raise DemoError(
                    f"the server was not ready after {READY_WITHIN:.0f} s:\n{log_tail()}"
                )
            time.sleep(0.1)

    def wait(self) -> int:
        """Waits for the server to end by itself and returns its status."""
        assert self.process
        return self.process.wait()

    def stop(self) -> None:
        """Asks the server to end and waits for it."""
        if not self.process:
            return
        # A second Ctrl-C must not leave the server behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.process.terminate()
        try:
            self.process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            print(
                f"the server did not stop within {STOP_WITHIN:.0f} s, killing it", file=sys.stderr
            )
            self.process.kill()
            self.process.wait()


def log_tail(lines: int = 40) -> str:
    """Returns the end of the server's log."""
    try:
        return "\n".join(LOG.read_text(errors="replace").splitlines()[-lines:])
    except OSError as err:
        return f"(no log: {err})"


def run_client(url: str, python: str, script: str, *more: str) -> dict[str, Any]:
    """Runs an example's own script, an unmodified kfp.Client, and returns the summary it wrote."""
    SUMMARY.unlink(missing_ok=True)
    command = [python, script, "--host", url, "--summary-json", str(SUMMARY), *more]
    client: subprocess.Popen[bytes] | None = None
    try:
        with uninterrupted():
            client = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
        status = client.wait()
    finally:
        if client:
            client.kill()  # nothing happens when it has ended
            client.wait()
    if status != 0:
        raise DemoError(f"{script} ended with status {status}; the server said:\n{log_tail(15)}")
    return json.loads(SUMMARY.read_text())


def report(url: str, summary: dict[str, Any]) -> None:
    """Prints what the run gave and where to look at it."""
    run_id = summary["run_id"]
    given = get(f"{url}/api/v1/runs/{run_id}/artifacts")["artifacts"]
    print(f"\nrun {run_id} {summary['state']} in {summary['seconds']:.1f} s")
    for artifact in given:
        metadata = artifact.get("metadata") or {}
        numbers = {k: v for k, v in metadata.items() if isinstance(v, (int, float))}
        if artifact["schema_title"] == "system.Metrics" and numbers:
            print(f"\nmetrics ({artifact['name']})")
            width = max(map(len, numbers))
            for name, value in sorted(numbers.items()):
                print(
                    f"  {name:<{width}}  {value:,.4f}"
                    if isinstance(value, float)
                    else f"  {name:<{width}}  {value:,}"
                )
    models = [a for a in given if a["schema_title"] == "system.Model"]
    if models:
        print("\nmodels")
    for model in models:
        print(f"  {model['name']:<18} {model['size']:>12,} bytes  {model.get('digest', '')}")
        print(f"    bin/levada artifacts get --data .levada {model['id']}")
    print(f"\nlook at it: {url}/runs/{run_id}")


def interrupted(_signum: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="port of the server")
    parser.add_argument("--python", required=True, help="Python interpreter with kfp")
    example = parser.add_mutually_exclusive_group()
    example.add_argument("--loop", action="store_true", help="run flights-monitor")
    example.add_argument("--serve", action="store_true", help="run flights-serve")
    parser.add_argument("--folder", help="with --loop: a trigger on files in it starts the runs")
    parser.add_argument("--until", help="with --loop: the last month")
    parser.add_argument(
        "--detach", action="store_true", help="stop the server when the run has ended"
    )
    options = parser.parse_args()
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, interrupted)

    server: Server | None = None
    done = False
    try:
        url = running_server()
        if url:
            print(f"using the server that runs at {url}")
        else:
            server = Server(choose_port(options.port))
            server.start()
            url = server.url
            server.wait_until_ready()
            print(f"the server is ready at {url}")
        if options.loop:
            chosen = {"--folder": options.folder, "--until": options.until}
            more = [word for name, value in chosen.items() if value for word in (name, value)]
            run_client(url, options.python, "examples/flights-monitor/loop.py", *more)
        elif options.serve:
            run_client(url, options.python, "examples/flights-serve/serve.py")
        else:
            report(url, run_client(url, options.python, "examples/flights/submit.py"))
        done = True
        if server and not options.detach:
            print("the server keeps running; Ctrl-C stops it")
            status = server.wait()
            raise DemoError(f"the server ended with status {status}. Its log:\n{log_tail()}")
        return 0
    except DemoError as err:
        print(f"levada demo: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopping")
        return 0 if done else 130
    finally:
        if server:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
