"""Talks to a warm host as the server does, with a stand-in for kfp so that any interpreter will do."""

import argparse
import contextlib
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
import unittest.mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import kfp_main  # noqa: E402

HOST = os.path.join(os.path.dirname(HERE), "warmhost.py")

EXECUTOR = """
import os, random, sys, threading, time, atexit
what = sys.argv[1]
print("main", __name__, sys.argv[1:], flush=True)
if what == "exit":
    sys.exit(int(sys.argv[2]))
if what == "words":
    sys.exit("in words")
if what == "raise":
    raise ValueError("bad")
if what == "kill":
    os.kill(os.getpid(), 9)
if what == "end":
    atexit.register(print, "at exit")
    threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
if what == "import":
    import a_module
if what == "env":
    print(os.environ["X"], os.getcwd(), len(os.environ))
if what == "random":
    print(random.random())
"""


class Server:
    """The server's side of a host."""

    def __init__(self, directory: str, modules: list) -> None:
        for name in ("kfp", "kfp/dsl", "kfp/dsl/types"):
            os.makedirs(os.path.join(directory, name), exist_ok=True)
            self.write(directory, name + "/__init__.py", "")
        for name in ("executor", "kfp_config", "utils"):
            self.write(directory, f"kfp/dsl/{name}.py", "")
        self.write(directory, "kfp/dsl/types/artifact_types.py", ARTIFACT)
        self.write(directory, "kfp/dsl/executor_main.py", EXECUTOR)
        self.write(directory, "a_module.py", "import threading\n")
        self.write(
            directory,
            "threads.py",
            "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n",
        )
        self.directory = directory
        self.sock, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, HOST, str(theirs.fileno()), json.dumps(modules)],
            pass_fds=[theirs.fileno()],
            env={"PYTHONPATH": directory, "PATH": os.environ["PATH"]},
        )
        theirs.close()

    @staticmethod
    def write(directory: str, name: str, text: str) -> None:
        with open(os.path.join(directory, name), "w") as f:
            f.write(text)

    def close(self) -> None:
        self.sock.close()
        self.process.wait(10)

    def receive(self) -> dict:
        size = self.sock.recv(4, socket.MSG_WAITALL)
        if len(size) < 4:
            return {"op": "end"}
        return json.loads(self.sock.recv(struct.unpack(">I", size)[0], socket.MSG_WAITALL))

    def run(self, *args: str, env: dict) -> tuple:
        """Run a step; returns its exit message, its output and what the host sent meanwhile."""
        out_r = self.ask(*args, env=env)
        with open(out_r) as out:
            text = out.read()
        seen = []
        while True:
            m = self.receive()
            seen.append(m)
            if m["op"] in ("exit", "failed", "end"):
                return m, text, seen

    def ask(self, *args: str, env: dict) -> int:
        """Ask for a step; returns the end of the pipe it writes to."""
        out_r, out_w = os.pipe()
        null = os.open(os.devnull, os.O_RDONLY)
        message = {"op": "run", "id": 7, "args": args, "env": env, "cwd": self.directory}
        body = json.dumps(message).encode()
        socket.send_fds(self.sock, [struct.pack(">I", len(body)) + body], [null, out_w, out_w])
        os.close(out_w)
        os.close(null)
        return out_r


ARTIFACT = textwrap.dedent("""
    class Artifact:
        def __init__(self, uri):
            self.uri = uri

        def _get_path(self):
            return None
    """)


class WarmHostTest(unittest.TestCase):
    def setUp(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.server = Server(os.path.realpath(self.directory.name), ["a_module", "no_such_module"])
        self.addCleanup(self.server.close)
        self.assertEqual(self.server.receive()["op"], "ready")

    def run_step(self, *args: str, env: "dict | None" = None) -> tuple:
        return self.server.run(*args, env=env or {"PATH": os.environ["PATH"]})

    def test_a_step_is_main_and_gets_its_arguments(self) -> None:
        end, text, _ = self.run_step("none", "ü")
        self.assertEqual((end["code"], end["signal"]), (0, 0), text)
        self.assertIn("main __main__ ['none', 'ü']", text)

    def test_exit_statuses_are_those_of_an_interpreter(self) -> None:
        self.assertEqual(self.run_step("exit", "7")[0]["code"], 7)
        self.assertEqual(self.run_step("exit", "0")[0]["code"], 0)
        end, text, _ = self.run_step("words")
        self.assertEqual(end["code"], 1)
        self.assertIn("in words", text)
        end, text, _ = self.run_step("raise")
        self.assertEqual(end["code"], 1)
        self.assertIn("ValueError: bad", text)
        self.assertNotIn("warmhost.py", text)
        self.assertEqual(self.run_step("kill")[0]["signal"], signal.SIGKILL)

    def test_threads_and_exit_functions_end_before_the_step(self) -> None:
        end, text, _ = self.run_step("end")
        self.assertEqual(end["code"], 0)
        self.assertTrue(text.endswith("thread\nat exit\n"), text)

    def test_the_environment_is_replaced(self) -> None:
        _, text, _ = self.run_step("env", env={"X": "1"})
        self.assertIn(f"1 {os.path.realpath(self.directory.name)} 1", text)

    def test_steps_draw_different_random_numbers(self) -> None:
        self.assertNotEqual(self.run_step("random")[1], self.run_step("random")[1])

    def test_a_large_message_arrives_whole(self) -> None:
        end, text, _ = self.run_step("none", "x" * (3 << 20))
        self.assertEqual(end["code"], 0)
        self.assertGreater(len(text), 3 << 20)

    @unittest.skipUnless(sys.platform == "linux", "finds the forks in /proc")
    def test_a_fork_that_ends_before_it_has_its_step_is_told_from_a_step_that_fails(self) -> None:
        self.assertEqual(self.server.run("exit", "87", env={})[0]["code"], 87)
        host = self.server.process.pid
        forks = []
        while len(forks) != 2:  # those that stand by
            time.sleep(0.05)
            with open(f"/proc/{host}/task/{host}/children") as f:
                forks = [int(pid) for pid in f.read().split()]
        for pid in forks:
            os.kill(pid, signal.SIGSTOP)
        os.close(self.server.ask("exit", "0", env={}))
        started = self.server.receive()
        self.assertIn(started["pid"], forks)
        os.kill(started["pid"], signal.SIGKILL)
        self.assertEqual(
            self.server.receive(), {"op": "lost", "id": 7, "code": 0, "signal": signal.SIGKILL}
        )
        for pid in forks:
            if pid != started["pid"]:
                os.kill(pid, signal.SIGCONT)


class UnsafeModuleTest(unittest.TestCase):
    def test_a_module_that_starts_threads_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            server = Server(directory, ["threads"])
            self.addCleanup(server.close)
            self.assertEqual(server.receive(), {"op": "unsafe", "module": "threads"})
            self.assertEqual(server.receive(), {"op": "end"})


class PlainParserTest(unittest.TestCase):
    """What PlainParser answers is what argparse would."""

    def test_it_reads_arguments_as_argparse_does(self) -> None:
        for words in (
            ["--path", "a b", "--input", '{"x": "-1"}', "--function", "f"],
            ["--function", "f", "--path", ""],
            ["--function", "f", "--function", "g"],
            ["--function=f", "--path", "p"],
            ["--func", "f"],
            ["--function", "f", "--other", "x", "y"],
            ["--function", "f", "z"],
            ["--path", "p"],
            ["--function", "-1"],
            ["--function", "--path"],
            ["--function"],
            [],
        ):
            with self.subTest(words):
                self.assertEqual(
                    self.read(kfp_main.PlainParser, words),
                    self.read(argparse.ArgumentParser, words),
                )

    def test_it_leaves_other_declarations_to_argparse(self) -> None:
        for declared in (
            {"type": int},
            {"type": str, "default": "d"},
            {"action": "store_true"},
            {"type": str, "dest": "d"},
        ):
            for words in (["--x", "1"], ["--x"], []):
                with self.subTest(declared=declared, words=words):
                    self.assertEqual(
                        self.read(kfp_main.PlainParser, words, declared),
                        self.read(argparse.ArgumentParser, words, declared),
                    )

    @staticmethod
    def read(parser: type, words: list, declared: "dict | None" = None) -> object:
        said = io.StringIO()
        with unittest.mock.patch.object(sys, "argv", ["main", *words]):
            p = parser(description="d")
            if declared:
                p.add_argument("--x", **declared)
            else:
                p.add_argument("--path", type=str, help="h")
                p.add_argument("--function", type=str, required=True, help="h")
                p.add_argument("--input", type=str)
            with contextlib.redirect_stderr(said):
                try:
                    return p.parse_known_args()
                except SystemExit as e:
                    return e.code, said.getvalue()


class OldPathsTest(unittest.TestCase):
    def test_artifacts_of_old_sdks_get_their_local_path(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            server = Server(directory, [])
            self.addCleanup(server.close)
            server.write(
                directory,
                "kfp/dsl/executor_main.py",
                "from kfp.dsl.types import artifact_types as a\nprint(a.Artifact('/x')._get_path())\n",
            )
            self.assertEqual(server.receive()["op"], "ready")
            self.assertEqual(server.run(env={})[1], "/x\n")


if __name__ == "__main__":
    unittest.main()
