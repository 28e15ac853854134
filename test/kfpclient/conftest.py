"""What all tests need: a kfp.Client for the running server, pipelines, and names nobody else uses."""

from __future__ import annotations

import json
import os
import time
import uuid
import warnings
from pathlib import Path
from typing import Any, Callable

import kfp
import kfp_server_api
import pipelines
import pytest
from kfp import compiler

ApiException = kfp_server_api.exceptions.ApiException

# How long a run may take. The first step of a session builds its Python environment.
RUN_TIMEOUT_S = 300


@pytest.fixture(scope="session")
def client() -> kfp.Client:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kfp.Client(host=os.environ["LEVADA_URL"])


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"{request.node.name[:60]} {uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The compiled pipelines by name."""
    folder = tmp_path_factory.mktemp("packages")
    paths = {}
    for key, function in pipelines.ALL.items():
        paths[key] = str(folder / f"{key}.yaml")
        compiler.Compiler().compile(function, paths[key])
    return paths


@pytest.fixture
def uploaded(client: kfp.Client, name: str, packages: dict[str, str]) -> tuple[Any, Any]:
    """A new pipeline and its first version."""
    pipeline = client.upload_pipeline(packages["add"], pipeline_name=name)
    versions = client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions
    assert len(versions) == 1
    return pipeline, versions[0]


@pytest.fixture(scope="session")
def finished(client: kfp.Client, packages: dict[str, str]) -> Any:
    """A run that succeeded, for tests that only look at one."""
    result = client.create_run_from_pipeline_package(
        packages["add"], arguments={"a": 1, "b": 2}, run_name="finished", experiment_name="finished"
    )
    return client.wait_for_run_completion(result.run_id, RUN_TIMEOUT_S, sleep_duration=1)


def ask(client: kfp.Client, method: str, path: str, query: Any = None, body: Any = None) -> Any:
    """Sends a request that the SDK has no method for, or not in each version, and returns the decoded answer."""
    return client._experiment_api.api_client.call_api(
        f"/apis/v2beta1/{path}",
        method,
        query_params=list((query or {}).items()),
        header_params={"Content-Type": "application/json"},
        body=body,
        response_type="object",
        auth_settings=[],
        _return_http_data_only=True,
    )


def until(condition: Callable[[], Any]) -> Any:
    """Asks until the answer is true, and returns it: the API tells of no event."""
    deadline = time.monotonic() + RUN_TIMEOUT_S
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.2)
    return answer


def equals(key: str, value: str, operation: Any = "EQUALS") -> str:
    return json.dumps({"predicates": [{"operation": operation, "key": key, "stringValue": value}]})


def refusal(call: Callable[[], Any]) -> tuple[int, dict[str, Any]]:
    """The status and the decoded body of the ApiException that a call must raise."""
    with pytest.raises(ApiException) as raised:
        call()
    body = json.loads(raised.value.body)
    assert set(body) == {"error", "code", "message", "details"}, body
    assert body["error"] == body["message"]
    return raised.value.status, body


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)
