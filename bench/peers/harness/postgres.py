"""A PostgreSQL server of our own, for peers whose documentation wants one. It is started before any clock and
has its default settings, with durable commits; it serves 127.0.0.1 alone.

    python postgres.py COMMAND...

runs a command beside one: POSTGRES_URL is its database, POSTGRES_PID its process. Where PostgreSQL is not
installed it says so and runs nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import measure

# Where Debian keeps the programs of each version.
DEBIAN = Path("/usr/lib/postgresql")


def programs() -> Path | None:
    """The folder with initdb and postgres, newest version first; None where PostgreSQL is not installed."""
    found = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda p: float(p.parts[-3]), reverse=True)
    path = str(found[0]) if found else shutil.which("initdb")
    return Path(path).resolve().parent if path else None


class Postgres:
    """A server in a folder, with one database and one user, both named bench."""

    def __init__(self, folder: Path) -> None:
        bin_folder = programs()
        if bin_folder is None:
            raise FileNotFoundError(
                "PostgreSQL is not installed (Debian: apt-get install postgresql)"
            )
        self.port = measure.free_port()
        # It refuses to run as root, which then hands it to the user that Debian's package makes.
        user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        data = folder / "postgres"
        data.mkdir(mode=0o700)
        folder.chmod(0o755)
        if user:
            shutil.chown(data, **user)
        subprocess.run(
            [
                bin_folder / "initdb",
                "-D",
                data,
                "-U",
                "bench",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
            ],
            check=True,
            cwd="/",
            capture_output=True,
            **user,
        )
        with (folder / "postgres.log").open("ab") as log:
            listen = ["-h", "127.0.0.1", "-p", str(self.port), "-k", data]
            self.process = subprocess.Popen(
                [bin_folder / "postgres", "-D", data, *listen, "-c", "max_connections=200"],
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **user,
            )
        address = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "bench"]
        ready = [bin_folder / "pg_isready", "-q", *address]
        measure.wait_until(
            lambda: subprocess.run(ready, check=False).returncode == 0,
            60,
            "start PostgreSQL",
            self.process,
        )
        subprocess.run([bin_folder / "createdb", *address, "bench"], check=True)

    def url(self, scheme: str) -> str:
        """How a client connects; scheme names its driver."""
        return f"{scheme}://bench@127.0.0.1:{self.port}/bench"

    def stop(self) -> None:
        """Ends the server."""
        measure.end([self.process])


def main(command: list[str]) -> int:
    """Runs the command and returns its status."""
    if programs() is None:
        print("PostgreSQL is not installed: nothing is measured with it", file=sys.stderr)
        return 0
    signal.signal(signal.SIGTERM, measure.terminated)  # so that the server ends as well
    with tempfile.TemporaryDirectory(prefix="levada-postgres-") as folder:
        server = Postgres(Path(folder))
        try:
            at = {"POSTGRES_URL": server.url("postgresql"), "POSTGRES_PID": str(server.process.pid)}
            return subprocess.run(command, check=False, env={**os.environ, **at}).returncode
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
