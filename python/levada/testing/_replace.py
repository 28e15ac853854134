"""What stands in for steps, and the form in which the engine takes it."""

import hashlib
import os
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional, Union


class artifact:  # noqa: N801 - reads as a function does
    """An artifact handed in by a test.

    Args:
        content: A ``pathlib.Path`` to a file or directory, which is copied, or bytes. Without it
            the artifact has no content.
        metadata: Its metadata; for ``dsl.Metrics`` the metrics.
        uri: The address of content that is elsewhere, such as ``gs://bucket/model``.
    """

    def __init__(
        self,
        content: Union[pathlib.PurePath, bytes, None] = None,
        *,
        metadata: Optional[Mapping[str, Any]] = None,
        uri: str = "",
    ) -> None:
        if content is not None and not isinstance(content, (pathlib.PurePath, bytes, bytearray)):
            raise TypeError(
                f"an artifact is a pathlib.Path or bytes, not {type(content).__name__}; "
                "for text, encode it: artifact(text.encode())"
            )
        self.content, self.metadata, self.uri = content, metadata, uri

    def __repr__(self) -> str:
        return f"artifact({self.content!r}, metadata={self.metadata!r}, uri={self.uri!r})"

    def _wire(self) -> dict[str, Any]:
        fixture: dict[str, Any] = {}
        if isinstance(self.content, pathlib.PurePath):
            path = os.path.abspath(self.content)
            if not os.path.exists(path):
                raise FileNotFoundError(
                    f"the fixture {self.content} does not exist (looked at {path})"
                )
            fixture["path"] = path
        elif self.content is not None:
            fixture["path"] = _file(bytes(self.content))
        if self.metadata is not None:
            fixture["metadata"] = dict(self.metadata)
        if self.uri:
            fixture["uri"] = self.uri
        return fixture


_folder: Optional["tempfile.TemporaryDirectory[str]"] = None  # of fixtures given as bytes


def _file(content: bytes) -> str:
    """A file with the content, which goes with this process. Equal content is written once."""
    global _folder
    if _folder is None:
        _folder = tempfile.TemporaryDirectory(prefix="levada-fixtures-")
    path = os.path.join(_folder.name, hashlib.sha256(content).hexdigest())
    if not os.path.exists(path):
        with tempfile.NamedTemporaryFile(dir=_folder.name, delete=False) as f:
            f.write(content)
        os.replace(f.name, path)
    return path


class outputs:  # noqa: N801
    """The outputs of a replaced step, by name.

    A parameter is a plain value. An artifact is a ``pathlib.Path``, bytes, ``artifact(...)``, or a
    dict, which is its metadata: ``metrics={"accuracy": 0.5}``. The return value of a component
    without names is ``Output``. Every output that the component declares must be given.
    """

    _placeholders = False

    def __init__(self, **values: Any) -> None:
        self.values = values

    def __repr__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in self.values.items())
        return f"{type(self).__name__}({given})"

    def _wire(self) -> dict[str, Any]:
        return {
            "outputs": {k: given(v) for k, v in self.values.items()},
            "placeholders": self._placeholders,
        }


class placeholders(outputs):  # noqa: N801
    """Outputs of which the ones not given are 0, "", False, [], {} or an empty file, by their type."""

    _placeholders = True


class fails:  # noqa: N801
    """A replaced step that fails."""

    def __init__(
        self, message: str = "the step failed, as the test asked", exit_code: int = 1
    ) -> None:
        if (
            isinstance(exit_code, bool)
            or not isinstance(exit_code, int)
            or not 1 <= exit_code <= 255
        ):
            raise ValueError(f"exit_code is {exit_code!r}: want a number from 1 to 255")
        self.message, self.exit_code = str(message), exit_code

    def __repr__(self) -> str:
        return f"fails({self.message!r}, exit_code={self.exit_code})"

    def _wire(self) -> dict[str, Any]:
        return {"failure": {"message": self.message, "exit_code": self.exit_code}}


Answer = Union[outputs, fails]
Replacement = Union[Answer, Callable[..., Answer], Sequence[Answer]]


def given(value: Any) -> dict[str, Any]:
    """A value in the engine's form."""
    if isinstance(value, (pathlib.PurePath, bytes, bytearray)):
        value = artifact(value)
    if isinstance(value, artifact):
        return {"artifacts": [value._wire()]}
    if isinstance(value, (list, tuple)) and value:
        items = [
            artifact(v) if isinstance(v, (pathlib.PurePath, bytes, bytearray)) else v for v in value
        ]
        if all(isinstance(v, artifact) for v in items):
            return {"artifacts": [v._wire() for v in items], "list": True}
    return {"value": value}


def replacement(what: Replacement) -> dict[str, Any]:
    """What stands in for a step, in the engine's form."""
    if isinstance(what, (outputs, fails)):
        return what._wire()
    if callable(what):
        return {"call": True}
    if isinstance(what, (list, tuple)) and what:
        attempts: list[dict[str, Any]] = []
        for one in what:
            if not isinstance(one, (outputs, fails)):
                raise TypeError(
                    f"the answers to attempts are outputs(...) or fails(...), not {one!r}"
                )
            attempts.append(one._wire())
        return {"attempts": attempts}
    raise TypeError(
        f"a step is replaced by outputs(...), placeholders(...), fails(...), a list of these "
        f"(one for each attempt) or a function that returns one, not {what!r}"
    )
