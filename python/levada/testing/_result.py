"""How a run of a test ended."""

import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from levada.testing._engine import Engine, quote


class Artifact:
    """An artifact: an output of a run, or an input of a replaced step."""

    def __init__(self, running: Engine, record: Mapping[str, Any]) -> None:
        self._engine, self._record = running, record
        self._path: Optional[pathlib.Path] = None
        self.name: str = record.get("name", "")
        self.type: str = record.get("schema_title") or record.get("instance_schema", "")
        self.uri: str = record.get("uri", "")
        self.digest: str = record.get("digest", "")
        self.size: int = record.get("size", 0)
        self.metadata: dict[str, Any] = dict(record.get("metadata") or {})

    @property
    def path(self) -> pathlib.Path:
        """Where its content is: a read-only file or directory that goes with the test process."""
        if self._path is None:
            answer = self._engine.call("GET", f"/artifacts/{quote(self._record['id'])}/path")
            self._path = pathlib.Path(answer["path"])
        return self._path

    def read_bytes(self) -> bytes:
        """The content of a file."""
        return self.path.read_bytes()

    def read_text(self) -> str:
        """The content of a file, as UTF-8."""
        return self.path.read_text(encoding="utf-8")

    def __repr__(self) -> str:
        return (
            f"Artifact({self.name!r}, {self.type}, {self.size} bytes, metadata={self.metadata!r})"
        )


class Values(dict[str, Any]):
    """Parameters and artifacts by name. A list of artifacts is a list."""

    def __init__(self, running: Engine, record: Mapping[str, Any], lists: bool = False) -> None:
        super().__init__(record.get("parameters") or {})
        for name, items in (record.get("artifacts") or {}).items():
            found = [Artifact(running, a) for a in items]
            self[name] = found[0] if len(found) == 1 else found


class Inputs(Values):
    """What a replaced step would have got, with where it is in the pipeline.

    Attributes:
        task: The task's name.
        path: Its path: ``"for-loop-1/0/train"``.
        attempt: Counts from 1.
        iteration: The index in the innermost loop, or -1.
    """

    def __init__(self, running: Engine, call: Mapping[str, Any]) -> None:
        super().__init__(running, call.get("inputs") or {})
        self.task: str = call["name"]
        self.path: str = call["path"]
        self.attempt: int = call["attempt"]
        self.iteration: int = call["iteration"]


class Task:
    """A task of a run."""

    def __init__(self, running: Engine, record: Mapping[str, Any]) -> None:
        self._engine, self._record = running, record
        self.name: str = record["name"]
        self.path: str = record["path"]
        self.kind: str = record["kind"]
        self.state: str = record["state"]
        self.reason: str = record.get("reason", "")
        self.attempts: int = record.get("attempts", 0)
        self.depends_on: list[str] = list(record.get("depends_on") or [])
        self.failure: Optional[str] = (record.get("failure") or {}).get("message")
        self.exit_code: int = (record.get("failure") or {}).get("exit_code", 0)
        self.inputs = Values(running, record.get("inputs") or {})
        self.outputs = Values(running, record.get("outputs") or {})

    @property
    def log(self) -> str:
        """What the last attempt printed. A replaced step prints nothing."""
        if not self._record["id"]:
            return ""  # it was never reached
        run, task = quote(self._record["run_id"]), quote(self._record["id"])
        return "\n".join(self._engine.call("GET", f"/runs/{run}/tasks/{task}/log")["lines"])

    def __repr__(self) -> str:
        return f"Task({self.path!r}, {self.state})"


class Result:
    """How a run ended.

    Attributes:
        tasks: Every task, in the order of the pipeline; groups before what is in them.
        outputs: What the pipeline, or the component, gives as a whole.
        failure: Why the run failed, or None.
    """

    def __init__(self, running: Engine, message: Mapping[str, Any]) -> None:
        record = message["run"]
        hidden = set(message.get("hidden") or [])
        self.name: str = record["display_name"]
        self.failure: Optional[str] = (record.get("failure") or {}).get("message")
        found = [t for t in message["tasks"] if t["path"] not in hidden]
        self.tasks: list[Task] = [
            Task(running, t) for t in _with_unreached(found, message.get("steps") or [])
        ]
        self.outputs = Values(running, record.get("outputs") or {})
        self._state: str = record["state"]
        self._logs: Mapping[str, list[str]] = message.get("logs") or {}

    def state(self, task: Optional[str] = None) -> str:
        """The state of the run, or of a task: SUCCEEDED, FAILED, SKIPPED or CANCELED.

        Tasks of several iterations have one state when it is the same for all.
        """
        if task is None:
            return self._state
        states = self.states(task)
        if len(set(states)) != 1:
            raise LookupError(
                f"the tasks named {task!r} have several states, {states}; name one by its path\n{self}"
            )
        return states[0]

    def states(self, task: str) -> list[str]:
        """The states of all tasks of a name, in the order of iterations."""
        return [t.state for t in self.find(task)]

    def task(self, task: str) -> Task:
        """The one task of a name or path."""
        found = self.find(task)
        if len(found) > 1:
            paths = ", ".join(t.path for t in found)
            raise LookupError(f"several tasks are named {task!r}; name one by its path: {paths}")
        return found[0]

    def find(self, task: str) -> list[Task]:
        """The tasks of a name, or of a path with or without the indices of loops."""
        key = _normal(task)
        found = [t for t in self.tasks if _normal(t.path) == key]
        found = found or [t for t in self.tasks if not _is_index(t.name) and _normal(t.name) == key]
        found = found or [
            t for t in self.tasks if not _is_index(t.name) and _normal(_static(t.path)) == key
        ]
        if not found:
            known = ", ".join(sorted({_static(t.path) for t in self.tasks}))
            raise LookupError(f"the run has no task {task!r}; it has: {known}")
        return found

    def output(self, task: str, name: Optional[str] = None) -> Any:
        """An output of a task: the value of a parameter, or an Artifact.

        With one argument, an output of the pipeline or component as a whole.
        """
        values, whose = (
            (self.outputs, "the run")
            if name is None
            else (self.task(task).outputs, f"task {task!r}")
        )
        wanted = task if name is None else name
        if wanted not in values:
            known = ", ".join(sorted(values)) or "none"
            raise LookupError(f"{whose} has no output {wanted!r}; it has: {known}\n{self}")
        return values[wanted]

    @property
    def plan(self) -> dict[str, str]:
        """The state of each step by path, in the order of the pipeline: what ran and what did not."""
        return {t.path: t.state for t in self.tasks if t.kind in ("container", "importer")}

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks)

    def __repr__(self) -> str:
        return f"Result({self._state}, {self.plan!r})"

    def __str__(self) -> str:
        lines = [f"run {self.name}: {self._state}"]
        if self.failure:
            lines.append(f"  {self.failure}")
        width = max([len(t.path) for t in self.tasks], default=0)
        for t in self.tasks:
            why = t.reason or (t.failure if t.kind in ("container", "importer") else "") or ""
            if not why and t.outputs and t.kind == "container":
                why = _short(t.outputs)
            lines.append(f"  {t.state:<9} {t.path:<{width}}  {why}".rstrip())
        for path, log in self._logs.items():
            if log:
                lines.append(f"  the end of the log of {path}:")
                lines.extend(f"    | {line}" for line in log)
        return "\n".join(lines)


def _with_unreached(
    tasks: list[Mapping[str, Any]], steps: list[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The tasks of a run and, after each group that was never entered, the steps that are in it."""
    entered = {t.get("parent", "") for t in tasks}
    out: list[Mapping[str, Any]] = []
    for group in tasks:
        out.append(group)
        if group["kind"] in ("container", "importer") or group["path"] in entered:
            continue
        why = f"{group['path']} was {group['state'].lower()}"
        if group["kind"] == "loop" and group["state"] == "SUCCEEDED":
            why = f"{group['path']} had nothing to loop over"
        elif group.get("reason"):
            why += f": {group['reason']}"
        prefix = _static(group["path"]) + "/"
        for step in steps:
            if step["path"].startswith(prefix):
                out.append(
                    {
                        "id": "",
                        "run_id": group["run_id"],
                        "name": step["name"],
                        "path": group["path"] + "/" + step["path"][len(prefix) :],
                        "kind": step["kind"],
                        "state": "CANCELED" if group["state"] == "CANCELED" else "SKIPPED",
                        "reason": why,
                    }
                )
    return out


def _short(values: Mapping[str, Any]) -> str:
    text = ", ".join(f"{k}={_value(v)}" for k, v in values.items())
    return text if len(text) <= 100 else text[:99] + "…"


def _value(v: Any) -> str:
    if isinstance(v, Artifact):
        return f"<{v.size} bytes>" if not v.metadata else json.dumps(v.metadata, default=str)
    if isinstance(v, list) and v and isinstance(v[0], Artifact):
        return f"<{len(v)} artifacts>"
    return json.dumps(v, default=str)


def _normal(name: str) -> str:
    return name.replace("_", "-").lower()


def _is_index(name: str) -> bool:
    return name.isdigit()


def _static(path: str) -> str:
    return "/".join(p for p in path.split("/") if not _is_index(p))
