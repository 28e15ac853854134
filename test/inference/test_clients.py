"""Real clients against the doors of serving; clients_test.go starts the server and says where it is."""

import json
import os
from urllib.parse import urlsplit

import boto3
import botocore.exceptions
import numpy as np
import pandas as pd
import pytest
import requests
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

URL = os.environ["LEVADA_URL"]
PORT_URL = os.environ["LEVADA_PORT_URL"]
ADDRESS = urlsplit(URL).netloc


@pytest.fixture(params=["http", "grpc"])
def triton(request):
    """Both clients of Triton have the same methods."""
    module = {"http": triton_http, "grpc": triton_grpc}[request.param]
    client = module.InferenceServerClient(ADDRESS)
    client.module = module
    client.kind = request.param
    yield client
    client.close()


def make(client, name, array, datatype, **how):
    tensor = client.module.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array, **how)
    return tensor


def test_health_and_metadata(triton):
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("sum")
    assert triton.is_model_ready("sum", "3")
    assert not triton.is_model_ready("down")
    server = triton.get_server_metadata()
    model = triton.get_model_metadata("matrix")
    if triton.kind == "grpc":
        assert server.name == "levada" and server.version == "1.2.3"
        assert list(model.inputs[0].shape) == [-1, 4] and model.inputs[0].datatype == "FP32"
        assert list(model.versions) == ["3"]
    else:
        assert server["name"] == "levada" and server["version"] == "1.2.3"
        assert model["inputs"] == [{"name": "input-0", "datatype": "FP32", "shape": [-1, 4]}]
        assert {
            "name": "sum",
            "version": "3",
            "state": "READY",
            "reason": "",
        } in triton.get_model_repository_index()


def test_tensors(triton):
    x = np.arange(400, dtype=np.float32).reshape(100, 4)
    result = triton.infer("matrix", [make(triton, "input-0", x, "FP32")], request_id="r 1")
    np.testing.assert_array_equal(result.as_numpy("output-0"), x.sum(axis=1))
    response = result.get_response()
    assert (response.id if triton.kind == "grpc" else response["id"]) == "r 1"


def test_columns_outputs_and_parameters(triton):
    a, b = np.array([1.5, 2, np.nan]), np.array([[1], [2], [3]], dtype=np.int32)
    result = triton.infer(
        "sum",
        [make(triton, "b", b, "INT32"), make(triton, "a", a, "FP64")],
        outputs=[triton.module.InferRequestedOutput("output-0")],
        model_version="3",
        parameters={"offset": 0.5},
    )
    np.testing.assert_array_equal(result.as_numpy("output-0"), np.array([3, 4.5, np.nan]))


@pytest.mark.parametrize(
    ("dtype", "datatype"),
    [
        ("bool", "BOOL"),
        ("uint8", "UINT8"),
        ("uint16", "UINT16"),
        ("uint32", "UINT32"),
        ("uint64", "UINT64"),
        ("int8", "INT8"),
        ("int16", "INT16"),
        ("int32", "INT32"),
        ("int64", "INT64"),
        ("float16", "FP16"),
        ("float32", "FP32"),
        ("float64", "FP64"),
    ],
)
def test_every_type(triton, dtype, datatype):
    x = np.array([[0, 1, 100], [127, 7, 1]]).astype(dtype)
    if np.issubdtype(x.dtype, np.integer):
        x[0, 0], x[0, 1] = np.iinfo(dtype).max, np.iinfo(dtype).min
    result = triton.infer("echo", [make(triton, "x", x, datatype)])
    got = result.as_numpy("x")
    assert got.dtype == x.dtype
    np.testing.assert_array_equal(got, x)
    if triton.kind == "http" and dtype != "float16":
        asked = [triton_http.InferRequestedOutput("x", binary_data=False)]
        result = triton.infer(
            "echo", [make(triton, "x", x, datatype, binary_data=False)], outputs=asked
        )
        np.testing.assert_array_equal(result.as_numpy("x"), x)


def test_texts(triton):
    x = np.array(["a", "grün", ""], dtype=object)
    result = triton.infer("upper", [make(triton, "text", x, "BYTES")])
    assert [t.decode() for t in result.as_numpy("output-0")] == ["A", "GRüN".replace("ü", "Ü"), ""]
    raw = np.array([b"\xff\x00", b"x" * 1000], dtype=object)
    result = triton.infer("echo", [make(triton, "x", raw, "BYTES")])
    assert list(result.as_numpy("x")) == list(raw)


def test_large_tensors(triton):
    x = np.random.default_rng(0).random((200_000, 4), dtype=np.float32)
    result = triton.infer("matrix", [make(triton, "input-0", x, "FP32")])
    np.testing.assert_allclose(result.as_numpy("output-0"), x.sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize(
    ("model", "array", "datatype", "http_status", "code", "text"),
    [
        (
            "matrix",
            np.zeros((1, 3), np.float32),
            "FP32",
            "400",
            "INVALID_ARGUMENT",
            "shape [-1 4] is wanted and [1 3] came",
        ),
        ("sum", np.zeros(1), "FP64", "400", "INVALID_ARGUMENT", 'did not come: "a", "b"'),
        ("nowhere", np.zeros(1), "FP64", "404", "NOT_FOUND", "no endpoint"),
        ("busy", np.zeros(1), "FP64", "429", "RESOURCE_EXHAUSTED", "queue"),
        ("down", np.zeros(1), "FP64", "503", "UNAVAILABLE", "no worker"),
        ("broken", np.zeros(1), "FP64", "500", "INTERNAL", "error_id"),
    ],
)
def test_failures(triton, model, array, datatype, http_status, code, text):
    with pytest.raises(InferenceServerException) as e:
        triton.infer(model, [make(triton, "x", array, datatype)])
    assert text in e.value.message()
    assert e.value.status() in (http_status, "StatusCode." + code)


def test_deadlines():
    client = triton_grpc.InferenceServerClient(ADDRESS)
    with pytest.raises(InferenceServerException) as e:
        client.infer("slow", [make_grpc(np.zeros(1))], client_timeout=0.2)
    assert e.value.status() == "StatusCode.DEADLINE_EXCEEDED"


def make_grpc(array):
    tensor = triton_grpc.InferInput("x", list(array.shape), "FP64")
    tensor.set_data_from_numpy(array)
    return tensor


def test_many_calls_at_once_on_one_connection():
    client = triton_grpc.InferenceServerClient(ADDRESS)
    futures = []
    for i in range(100):
        tensor = triton_grpc.InferInput("input-0", [1, 4], "FP32")
        tensor.set_data_from_numpy(np.full((1, 4), i, np.float32))
        results = []
        client.async_infer(
            "matrix",
            [tensor],
            callback=lambda result, error, into=results: into.append((result, error)),
        )
        futures.append((i, results))
    for i, results in futures:
        while not results:
            pass
        result, error = results[0]
        assert error is None and result.as_numpy("output-0")[0] == 4 * i


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_requests(triton, algorithm):
    x = np.ones((1000, 4), np.float32)
    how = {"compression_algorithm": algorithm}
    if triton.kind == "http":
        how = {f"{way}_compression_algorithm": algorithm for way in ("request", "response")}
    result = triton.infer("matrix", [make(triton, "input-0", x, "FP32")], **how)
    assert result.as_numpy("output-0").sum() == 4000


def test_grpc_with_typed_contents():
    """As clients other than Triton's send numbers."""
    import grpc
    from tritonclient.grpc import service_pb2, service_pb2_grpc

    with grpc.insecure_channel(ADDRESS) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        request = service_pb2.ModelInferRequest(model_name="echo")
        contents = {
            "BOOL": ("bool_contents", [True, False]),
            "INT8": ("int_contents", [-128, 127]),
            "INT64": ("int64_contents", [-(2**63), 2**63 - 1]),
            "UINT16": ("uint_contents", [0, 65535]),
            "UINT64": ("uint64_contents", [0, 2**64 - 1]),
            "FP32": ("fp32_contents", [0.5, -1]),
            "FP64": ("fp64_contents", [0.1, 1e300]),
            "BYTES": ("bytes_contents", [b"a", b"\xff"]),
        }
        for datatype, (field, values) in contents.items():
            tensor = request.inputs.add(name=datatype, datatype=datatype, shape=[2])
            getattr(tensor.contents, field).extend(values)
        answer = stub.ModelInfer(request)
        assert not answer.raw_output_contents
        for tensor in answer.outputs:
            field, values = contents[tensor.name]
            assert list(getattr(tensor.contents, field)) == values


def sagemaker():
    return boto3.client("sagemaker-runtime", endpoint_url=URL)


def test_sagemaker_runtime():
    body = json.dumps({"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3, 4.5]]}})
    answer = sagemaker().invoke_endpoint(
        EndpointName="sum", ContentType="application/json", Body=body
    )
    assert json.loads(answer["Body"].read()) == {"predictions": [3.0, 7.5]}
    assert answer["InvokedProductionVariant"] == "3" and answer["ContentType"] == "application/json"
    answer = sagemaker().invoke_endpoint(
        EndpointName="sum", ContentType="text/csv", Body=b"a,b\n1,2\n", TargetVariant="3"
    )
    assert json.loads(answer["Body"].read()) == {"predictions": [3.0]}


def test_sagemaker_errors():
    client = sagemaker()
    with pytest.raises(client.exceptions.ModelError) as e:
        client.invoke_endpoint(
            EndpointName="sum", ContentType="application/json", Body=b'{"inputs": {"a": [1]}}'
        )
    assert (
        e.value.response["OriginalStatusCode"] == 400
        and '"b"' in e.value.response["OriginalMessage"]
    )
    with pytest.raises(botocore.exceptions.ClientError) as e:
        client.invoke_endpoint(
            EndpointName="nowhere", ContentType="application/json", Body=b'{"inputs": [1]}'
        )
    assert (
        e.value.response["Error"]["Code"] == "ValidationError"
        and "no endpoint" in e.value.response["Error"]["Message"]
    )
    config = botocore.config.Config(retries={"max_attempts": 0})
    client = boto3.client("sagemaker-runtime", endpoint_url=URL, config=config)
    for endpoint, code in [
        ("busy", "ThrottlingException"),
        ("down", "ServiceUnavailable"),
        ("broken", "InternalFailure"),
    ]:
        with pytest.raises(botocore.exceptions.ClientError) as e:
            client.invoke_endpoint(
                EndpointName=endpoint, ContentType="application/json", Body=b'{"inputs": [1]}'
            )
        assert e.value.response["Error"]["Code"] == code


def test_mlflow_deployments():
    from mlflow.deployments import get_deploy_client

    client = get_deploy_client("databricks")
    answer = client.predict(
        endpoint="sum", inputs={"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2]]}}
    )
    assert answer["predictions"] == [3.0]
    with pytest.raises(requests.HTTPError, match="did not come"):
        client.predict(endpoint="sum", inputs={"inputs": {"a": [1]}})


def test_mlflows_client_of_its_scoring_server():
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    where = urlsplit(PORT_URL)
    client = ScoringServerClient(where.hostname, where.port)
    client.ping()
    data = pd.DataFrame({"a": [1.0, 2.0], "b": [3, 4], "extra": ["x", None]})
    answer = client.invoke(data)
    assert answer.get_predictions()[0].tolist() == [4.0, 6.0]
    assert client.invoke(data, params={"offset": 10}).get_predictions()[0].tolist() == [14.0, 16.0]


def test_plain_requests():
    assert requests.get(PORT_URL + "/ping", timeout=10).status_code == 200
    data = pd.DataFrame({"a": [1.0, None], "b": [3, 4]})
    for body, media in [
        ({"dataframe_split": json.loads(data.to_json(orient="split"))}, "application/json"),
        (
            {"dataframe_records": json.loads(data.to_json(orient="records"))},
            "application/json; charset=utf-8",
        ),
    ]:
        answer = requests.post(
            PORT_URL + "/invocations",
            data=json.dumps(body),
            headers={"Content-Type": media},
            timeout=10,
        )
        assert answer.json() == {"predictions": [4.0, None]}
    answer = requests.post(
        PORT_URL + "/invocations",
        data=data.to_csv(index=False),
        headers={"Content-Type": "text/csv"},
        timeout=10,
    )
    assert answer.json() == {"predictions": [4.0, None]}
    answer = requests.post(
        URL + "/v2/models/matrix/infer",
        json={
            "inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [[1, 2, 3, 4]]}]
        },
        timeout=10,
    )
    assert answer.json()["outputs"][0]["data"] == [10.0]


def test_a_large_body_is_refused_and_the_server_lives():
    answer = requests.post(
        PORT_URL + "/invocations",
        data=b" " * (70 << 20),
        headers={"Content-Type": "application/json"},
        timeout=60,
    )
    assert answer.status_code == 413 and answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert requests.get(PORT_URL + "/ping", timeout=10).status_code == 200
