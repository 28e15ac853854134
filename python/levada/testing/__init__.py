"""Test pipelines like software: run them with chosen steps replaced by canned outputs.

    from pathlib import Path

    from levada.testing import outputs, placeholders, run
    from pipeline import train_and_deploy

    def test_a_bad_model_is_not_deployed():
        result = run(
            train_and_deploy,
            parameters={"rate": 0.1},
            replace={
                "train": outputs(model=Path("fixtures/model"), metrics={"accuracy": 0.5}),
                "evaluate": outputs(accuracy=0.5),
            },
            rest=placeholders(),
        )
        assert result.state() == "SUCCEEDED"
        assert result.state("deploy") == "SKIPPED"

``levada test`` runs such files; so does pytest, with this package on its path and the program
``levada`` on the PATH. Nothing here needs a server. docs/testing-pipelines.md says more.
"""

from levada.testing._engine import EngineError, InvalidTest
from levada.testing._replace import artifact, fails, outputs, placeholders
from levada.testing._result import Artifact, Inputs, Result, Task
from levada.testing._run import run

__all__ = [
    "Artifact",
    "EngineError",
    "Inputs",
    "InvalidTest",
    "Result",
    "Task",
    "artifact",
    "fails",
    "outputs",
    "placeholders",
    "run",
]
