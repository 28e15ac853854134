"""Running a pipeline or a component in a test."""

import contextlib
import inspect
import os
import pathlib
import tempfile
import time
from collections.abc import Mapping
from typing import Any, Callable, Optional

from levada.testing._engine import Engine, EngineError, InvalidTest, engine, quote
from levada.testing._replace import Replacement, fails, given, outputs, replacement
from levada.testing._result import Inputs, Result, _normal, _static

# The runs of the present test, for the report of one that fails.
recent: list[Result] = []


def run(
    pipeline: Any,
    parameters: Optional[Mapping[str, Any]] = None,
    *,
    replace: Optional[Mapping[Any, Replacement]] = None,
    rest: Optional[Replacement] = None,
    timeout: float = 600,
) -> Result:
    """Run a pipeline or a single component and return how it ended. A run that fails is no error.

    Args:
        pipeline: A function decorated with ``@dsl.pipeline``, a component, or a ``pathlib.Path`` to
            a compiled pipeline.
        parameters: Its parameters and input artifacts; an artifact is a ``pathlib.Path``, bytes or
            ``artifact(...)``.
        replace: What stands in for steps, which then do not run. A key is the name of a task, its
            path ("for-loop-1/0/train"), or the component. A value is ``outputs(...)``,
            ``placeholders(...)``, ``fails(...)``, a list of these with one for each attempt, or a
            function of the step's inputs (``Inputs``) that returns one.
        rest: What stands in for all other steps. Without it they run, as processes in the Python
            environments that they ask for.
        timeout: Seconds after which the run is cancelled and the test fails.

    Raises:
        InvalidTest: The test asks for something that the pipeline does not have. Nothing was run.
        TimeoutError: The run took too long.
    """
    __tracebackhide__ = True  # pytest shows the line of the test
    running = engine()
    functions: dict[str, Callable[..., Any]] = {}
    wire = {}
    for key, what in (replace or {}).items():
        name = _name(key)
        wire[name] = replacement(what)
        if wire[name].get("call"):
            functions[_normal(name)] = what  # type: ignore[assignment]
    spec, label = _compile(pipeline)
    request: dict[str, Any] = {
        "name": label,
        "spec": spec,
        "inputs": {k: given(v) for k, v in (parameters or {}).items()},
        "replace": wire,
    }
    if rest is not None:
        request["rest"] = replacement(rest)
    return _follow(running, request, functions, rest, timeout)


def _follow(
    running: Engine,
    request: dict[str, Any],
    functions: Mapping[str, Callable[..., Any]],
    rest: Any,
    timeout: float,
) -> Result:
    """Read the stream of a run, answering for steps that functions stand in for."""
    __tracebackhide__ = True
    raised: list[BaseException] = []
    end = time.monotonic() + timeout
    stream = running.stream("/runs", request, lambda: end - time.monotonic())
    try:
        for message in stream:
            if "call" in message:
                _answer(running, message["call"], functions, rest, raised)
                continue
            result = Result(running, message["result"])
            recent.append(result)
            if raised:
                raise raised[0]
            return result
    except TimeoutError:
        raise TimeoutError(
            f"the run of {request['name']} took more than {timeout:g} s; it was cancelled"
        ) from None
    finally:
        stream.close()  # which cancels a run that is not final
    raise EngineError(f"the engine broke off the run of {request['name']}\n{running.log()}")


def _answer(
    running: Engine,
    call: Mapping[str, Any],
    functions: Mapping[str, Callable[..., Any]],
    rest: Any,
    raised: list[BaseException],
) -> None:
    """Ask a function what stands in for a step. What goes wrong in it fails the step and the test."""
    inputs = Inputs(running, call)
    keys = (_normal(inputs.path), _normal(_static(inputs.path)), _normal(inputs.task))
    function = next((functions[k] for k in keys if k in functions), rest)
    where = f"/calls/{quote(call['id'])}"
    try:
        answer = function(inputs) if inspect.signature(function).parameters else function()
        if not isinstance(answer, (outputs, fails)):
            raise TypeError(
                f"what stands in for {inputs.path} must return outputs(...), placeholders(...) or "
                f"fails(...), and returned {answer!r}"
            )
        running.call("POST", where, replacement(answer))
    except Exception as e:  # whatever the test's own function raises
        raised.append(e)
        message = f"what stands in for the step raised {type(e).__name__}: {e}"
        with contextlib.suppress(InvalidTest):  # the run has ended meanwhile
            running.call("POST", where, fails(message)._wire())


_compiled: dict[int, tuple[Any, str, str]] = {}


def _compile(pipeline: Any) -> tuple[str, str]:
    """The specification of a pipeline and its name. Each is compiled once."""
    if isinstance(pipeline, pathlib.PurePath):
        with open(pipeline, encoding="utf-8") as f:
            return f.read(), pipeline.name
    known = _compiled.get(id(pipeline))
    if known is None:
        known = (pipeline, *_compile_new(pipeline))
        _compiled[id(pipeline)] = known
    return known[1], known[2]


def _compile_new(pipeline: Any) -> tuple[str, str]:
    from kfp import compiler
    from kfp.dsl.base_component import BaseComponent

    if not isinstance(pipeline, BaseComponent):
        raise TypeError(
            "want a function decorated with @dsl.pipeline, a component, or a pathlib.Path to a "
            f"compiled pipeline, not {pipeline!r}"
        )
    with tempfile.TemporaryDirectory(prefix="levada-test-") as folder:
        package = os.path.join(folder, "pipeline.yaml")
        compiler.Compiler().compile(pipeline, package_path=package)
        with open(package, encoding="utf-8") as f:
            return f.read(), pipeline.name


def _name(key: Any) -> str:
    """The name of the task that a key means: a text, or a component."""
    if isinstance(key, str):
        return key
    name = getattr(key, "name", None)
    if not isinstance(name, str):
        raise TypeError(
            f"a key of replace is the name or path of a task, or a component, not {key!r}"
        )
    return name
