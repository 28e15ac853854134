"""Real clients against real models on `levada up`; served_test.go deploys them and says where they are."""

import json
import os
from urllib.parse import urlsplit

import boto3
import grpc
import numpy as np
import pandas as pd
import pytest
import requests
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

URL = os.environ.get("LEVADA_SERVED_URL", "")
PORT_URL = os.environ.get("LEVADA_IRIS_URL", "")
pytestmark = pytest.mark.skipif(not URL, reason="served_test.go starts the server")
ADDRESS = urlsplit(URL).netloc


@pytest.fixture(scope="module")
def logged():
    with open(os.environ["LEVADA_LOGGED"]) as f:
        said = json.load(f)
    return pd.DataFrame(said["rows"], columns=said_columns()), said["iris"]


def said_columns():
    return ["sepal length", "sepal width", "petal length", "petal width"]


@pytest.mark.parametrize("module", [triton_http, triton_grpc])
def test_columns_by_triton(module, logged):
    table, answers = logged
    client = module.InferenceServerClient(ADDRESS)
    inputs = []
    for name in table:
        tensor = module.InferInput(name, [len(table)], "FP64")
        tensor.set_data_from_numpy(table[name].to_numpy())
        inputs.append(tensor)
    result = client.infer("iris", inputs, request_id="7")
    name = client.get_model_metadata("iris")
    name = name["outputs"][0]["name"] if module is triton_http else name.outputs[0].name
    assert result.as_numpy(name).tolist() == answers
    with pytest.raises(InferenceServerException, match="petal width"):
        client.infer("iris", inputs[:3])


@pytest.mark.parametrize("module", [triton_http, triton_grpc])
def test_a_tensor_by_triton(module):
    client = module.InferenceServerClient(ADDRESS)
    x = np.random.default_rng(1).random((50, 3), dtype=np.float32)
    tensor = module.InferInput("input-0", [50, 3], "FP32")
    tensor.set_data_from_numpy(x)
    np.testing.assert_allclose(
        client.infer("sums", [tensor]).as_numpy("output-0"), x.sum(axis=1), rtol=1e-6
    )
    tensor.set_data_from_numpy(-x)
    with pytest.raises(InferenceServerException, match="negative numbers cannot be added here"):
        client.infer("sums", [tensor])


def test_every_form_of_mlflow(logged):
    table, answers = logged
    few = table.head(5)
    for where in [URL + "/serving-endpoints/iris", URL + "/endpoints/iris", PORT_URL]:
        for body in [
            {"dataframe_split": json.loads(few.to_json(orient="split", double_precision=15))},
            {"dataframe_records": few.to_dict(orient="records")},
            {"inputs": few.to_dict(orient="list")},
            {"instances": few.to_dict(orient="records")},
        ]:
            answer = requests.post(where + "/invocations", json=body, timeout=60)
            assert answer.json() == {"predictions": answers[:5]}, body
        answer = requests.post(
            where + "/invocations",
            data=few.to_csv(index=False),
            headers={"Content-Type": "text/csv"},
            timeout=60,
        )
        assert answer.json() == {"predictions": answers[:5]}
    assert requests.get(PORT_URL + "/ping", timeout=10).status_code == 200


def test_sorts_of_columns_and_parameters():
    rows = [
        {"carrier": "UA", "when": "2013-01-31T17:05:00", "n": 7, "x": 1},
        {"carrier": "ÄÖ", "when": "2013-02-01", "n": -(2**60), "x": 0.5},
    ]
    answer = requests.post(
        URL + "/serving-endpoints/describe/invocations",
        json={"dataframe_records": rows},
        timeout=60,
    )
    assert answer.json() == {
        "predictions": [
            {"said": "UA|2013-01-31T17:05:00|7|1.0", "scaled": 2.0},
            {"said": f"ÄÖ|2013-02-01T00:00:00|{-(2**60)}|0.5", "scaled": 1.0},
        ]
    }
    answer = requests.post(
        URL + "/serving-endpoints/describe/invocations",
        json={"dataframe_records": rows[:1], "params": {"scale": 10}},
        timeout=60,
    )
    assert answer.json()["predictions"][0]["scaled"] == 10.0
    answer = requests.post(
        URL + "/serving-endpoints/describe/invocations",
        json={"dataframe_records": [{**rows[0], "n": None}]},
        timeout=60,
    )
    assert answer.status_code == 400 and '"n"' in answer.json()["message"]


def test_boto3(logged):
    table, answers = logged
    client = boto3.client("sagemaker-runtime", endpoint_url=URL)
    body = json.dumps({"inputs": table.to_dict(orient="list")})
    answer = client.invoke_endpoint(EndpointName="iris", ContentType="application/json", Body=body)
    assert json.loads(answer["Body"].read()) == {"predictions": answers}
    assert answer["InvokedProductionVariant"] == "1"


def test_mlflow_deployments(logged):
    from mlflow.deployments import get_deploy_client

    table, answers = logged
    body = {"dataframe_records": table.head(3).to_dict(orient="records")}
    client = get_deploy_client("databricks")
    assert client.predict(endpoint="iris", inputs=body)["predictions"] == answers[:3]
    ready = {e["name"]: e["state"]["ready"] for e in client.list_endpoints()}
    assert ready["iris"] == "READY"
    assert client.get_endpoint("iris")["name"] == "iris"
    with pytest.raises(requests.HTTPError, match="there is no endpoint"):
        client.get_endpoint("nobody")


def flowers(table, answers):
    squares = table["petal length"] ** 2 + table["petal width"] ** 2 + 1
    return ["large" if a else "small" for a in answers], squares.tolist()


@pytest.mark.parametrize("module", [triton_http, triton_grpc])
def test_a_graph_by_triton(module, logged):
    table, answers = logged
    words, sizes = flowers(table, answers)
    client = module.InferenceServerClient(ADDRESS)
    assert client.is_model_ready("flowers")
    inputs = []
    for name in table:
        tensor = module.InferInput(name, [len(table)], "FP64")
        tensor.set_data_from_numpy(table[name].to_numpy())
        inputs.append(tensor)
    result = client.infer("flowers", inputs, request_id="7")
    assert [w.decode() for w in result.as_numpy("flower")] == words
    if module is triton_http:
        without = result.get_response()["parameters"]["without"]
    else:
        without = result.get_response().parameters["without"].string_param
    assert without == "node both, step extra"
    np.testing.assert_allclose(result.as_numpy("size"), sizes, rtol=1e-5)
    with pytest.raises(InferenceServerException, match=r"node both, step (iris|size): "):
        client.infer("flowers", inputs[:3])


def test_a_graph_by_the_other_doors(logged):
    table, answers = logged
    few = table.head(5)
    words, sizes = flowers(few, answers[:5])
    client = boto3.client("sagemaker-runtime", endpoint_url=URL)
    bodies = [
        ("application/json", json.dumps({"dataframe_records": few.to_dict(orient="records")})),
        ("application/json", json.dumps({"inputs": few.to_dict(orient="list")})),
        ("text/csv", few.to_csv(index=False)),
    ]
    for kind, body in bodies:
        answer = client.invoke_endpoint(EndpointName="flowers", ContentType=kind, Body=body)
        rows = json.loads(answer["Body"].read())["predictions"]
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        assert headers["x-levada-without"] == "node both, step extra"
        assert [r["flower"] for r in rows] == words
        np.testing.assert_allclose([r["size"] for r in rows], sizes, rtol=1e-5)
    late = requests.post(
        URL + "/serving-endpoints/flowers/invocations",
        json={"dataframe_records": few.to_dict(orient="records")},
        headers={"X-Levada-Timeout": "0.000001"},
        timeout=60,
    )
    assert late.status_code == 504 and "node" in late.json()["message"], late.text


def statistics(client, name):
    said = client.get_inference_statistics(name)
    if not isinstance(said, dict):
        said = client.get_inference_statistics(name, as_json=True)
    (model,) = said["model_stats"]
    spent = {
        kind: (int(s.get("count", 0)), int(s.get("ns", 0)))
        for kind, s in model["inference_stats"].items()
    }
    return model, spent


@pytest.mark.parametrize("module", [triton_http, triton_grpc])
def test_statistics_by_triton(module):
    client = module.InferenceServerClient(ADDRESS)
    tensor = module.InferInput("input-0", [50, 3], "FP32")
    x = np.ones((50, 3), dtype=np.float32)
    tensor.set_data_from_numpy(x)
    client.infer("sums", [tensor])
    before, spent_before = statistics(client, "sums")
    for _ in range(4):
        client.infer("sums", [tensor])
    tensor.set_data_from_numpy(-x)
    with pytest.raises(InferenceServerException):
        client.infer("sums", [tensor])
    after, spent = statistics(client, "sums")
    assert after["name"] == "sums" and after["version"] == "1"
    assert int(after["inference_count"]) - int(before["inference_count"]) == 200
    assert int(after["execution_count"]) - int(before["execution_count"]) == 4
    assert int(after["last_inference"]) >= int(before["last_inference"]) > 1.7e12
    for kind, count in {"success": 4, "fail": 1, "queue": 4, "compute_infer": 4}.items():
        had = spent_before.get(kind, (0, 0))
        assert spent[kind][0] - had[0] == count, kind
        assert spent[kind][1] > had[1], kind
    assert spent["queue"][1] + spent["compute_infer"][1] <= spent["success"][1]
    assert int(after["memory_usage"][0]["byte_size"]) > 10 << 20
    names = {
        m["name"] for m in requests.get(URL + "/v2/models/stats", timeout=10).json()["model_stats"]
    }
    assert names == {"iris", "sums", "describe", "flowers"}
    flowers_before, _ = statistics(client, "flowers")
    assert int(flowers_before["inference_count"]) > 0


def same_message(ours, theirs, seen):
    """The fields of a message have the names, numbers and types of Triton's."""
    if ours.full_name in seen:
        return
    seen.add(ours.full_name)
    for field in ours.fields:
        other = theirs.fields_by_name[field.name]
        got = (field.number, field.type, field.is_repeated, field.containing_oneof is not None)
        want = (other.number, other.type, other.is_repeated, other.containing_oneof is not None)
        assert got == want, field.full_name
        if field.message_type is not None:
            same_message(field.message_type, other.message_type, seen)


def test_the_server_says_what_it_speaks():
    channel = grpc.insecure_channel(ADDRESS)
    database = ProtoReflectionDescriptorDatabase(channel)
    assert set(database.get_services()) == {
        "inference.GRPCInferenceService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    pool = descriptor_pool.DescriptorPool(database)
    service = pool.FindServiceByName("inference.GRPCInferenceService")
    theirs = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    seen = set()
    for method in service.methods:
        other = theirs.methods_by_name[method.name]
        same_message(method.input_type, other.input_type, seen)
        same_message(method.output_type, other.output_type, seen)
    assert len(seen) > 20
    # A call by nothing but what the server has said.
    method = service.methods_by_name["ModelReady"]
    ask = channel.unary_unary(
        f"/{service.full_name}/{method.name}",
        request_serializer=lambda m: m.SerializeToString(),
        response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
    )
    assert ask(message_factory.GetMessageClass(method.input_type)(name="iris")).ready
