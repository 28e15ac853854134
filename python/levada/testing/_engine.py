"""The engine that tests run against: one ``levada`` process for each Python process that tests.

It has a data directory of its own, listens on a socket that only this user can reach, and ends
with this process, however that ends: it reads from a pipe that then closes.
"""

import atexit
import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import urllib.parse
from collections.abc import Generator
from typing import Any, Callable, Optional


class EngineError(RuntimeError):
    """The engine could not be started or did not answer."""


class InvalidTest(ValueError):  # noqa: N818 - a name that pytest does not collect
    """The test asks for something that the pipeline does not have: nothing was run."""


class _Connection(http.client.HTTPConnection):
    """HTTP through a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("levada.localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


class Engine:
    """A running engine."""

    def __init__(self) -> None:
        program = os.environ.get("LEVADA_BIN") or shutil.which("levada")
        if not program:
            raise EngineError(
                "the program levada was not found: put it on the PATH or name it with LEVADA_BIN"
            )
        # What the engine logs must not mix with what pytest prints; it is shown when it matters.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the engine
        try:
            self._process = subprocess.Popen(
                [program, "test-engine"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                start_new_session=True,  # Ctrl-C is for pytest, which then ends the engine
            )
        except OSError as e:
            raise EngineError(f"{program} cannot be started: {e}") from e
        line = self._process.stdout.readline()
        try:
            self._socket = json.loads(line)["socket"]
        except (ValueError, KeyError):
            self.close()
            raise EngineError(f"{program} test-engine did not start:\n{self.log()}") from None

    def log(self) -> str:
        """What the engine logged."""
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")

    def close(self) -> None:
        """End the engine and wait for it. Closing twice is safe."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def _request(
        self, connection: _Connection, method: str, path: str, body: Any
    ) -> http.client.HTTPResponse:
        """Send a request; the answer is read by the caller."""
        __tracebackhide__ = True  # pytest shows the line of the test
        content = None if body is None else json.dumps(body, allow_nan=False).encode()
        try:
            connection.request(method, path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
        except OSError as e:
            raise EngineError(f"the engine does not answer: {e}\n{self.log()}") from e
        if response.status >= 300:
            text = response.read().decode("utf-8", "replace")
            with contextlib.suppress(ValueError, KeyError):
                text = json.loads(text)["error"]
            if response.status in (400, 404):
                raise InvalidTest(text)
            raise EngineError(f"{text}\n{self.log()}")
        return response

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Send a request and return its answer."""
        connection = _Connection(self._socket)
        with (
            contextlib.closing(connection),
            self._request(connection, method, path, body) as response,
        ):
            return json.load(response)

    def stream(
        self, path: str, body: Any, left: Callable[[], float]
    ) -> Generator[dict[str, Any], None, None]:
        """Send a request whose answer is a line of JSON for each message.

        ``left`` says how many seconds there are; TimeoutError is raised when none is left.
        """
        __tracebackhide__ = True
        connection = _Connection(self._socket)
        with (
            contextlib.closing(connection),
            self._request(connection, "POST", path, body) as response,
        ):
            while True:
                seconds = left()
                if seconds <= 0:
                    raise TimeoutError
                connection.sock.settimeout(seconds)
                try:
                    line = response.readline()
                except socket.timeout:
                    raise TimeoutError from None
                if not line:
                    return
                yield json.loads(line)


_lock = threading.Lock()
_engine: Optional[Engine] = None
_owner = 0


def engine() -> Engine:
    """The engine of this process, started when it is first needed."""
    global _engine, _owner
    with _lock:
        if _engine is None or _owner != os.getpid():  # a forked process has one of its own
            _engine, _owner = Engine(), os.getpid()
            atexit.register(_close, _engine, _owner)
        return _engine


def _close(running: Engine, owner: int) -> None:
    if os.getpid() == owner:
        running.close()


def quote(part: str) -> str:
    """A part of a path."""
    return urllib.parse.quote(part, safe="")
