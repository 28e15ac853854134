"""Traces with the unmodified client: what is decorated, exported and judged is found again."""

import threading
import uuid

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

MLFLOW3 = int(mlflow.__version__.split(".")[0]) >= 3
only3 = pytest.mark.skipif(not MLFLOW3, reason="MLflow 2 has no such call")


@mlflow.trace(name="answer", span_type="CHAIN")
def answer(question):
    with mlflow.start_span(name="look up", span_type="RETRIEVER") as span:
        span.set_inputs({"question": question})
        span.set_attributes({"count": 3, "rate": 0.5, "words": ["a", "é"], "nested": {"a": [None]}})
        span.set_outputs(["doc 1", "doc 2"])
    return think(question)


@mlflow.trace(span_type="LLM")
def think(question):
    if "fail" in question:
        raise ValueError("cannot think")
    return f"answer to {question}"


def finished(client, experiment, n, where=""):
    """Waits for the client's own queue, then returns the traces."""
    if hasattr(mlflow, "flush_trace_async_logging"):
        mlflow.flush_trace_async_logging()
    found = client.search_traces(experiment_ids=[experiment.experiment_id], filter_string=where)
    assert len(found) == n
    return found


def test_decorated_functions_become_traces(experiment):
    assert answer("life") == "answer to life"
    with pytest.raises(ValueError, match="cannot think"):
        answer("fail")
    client = MlflowClient()
    failed, good = finished(client, experiment, 2)
    assert (str(good.info.status), str(failed.info.status)) == (
        "TraceStatus.OK",
        "TraceStatus.ERROR",
    )
    trace = client.get_trace(good.info.request_id)
    root, look, llm = trace.data.spans
    assert [s.name for s in trace.data.spans] == ["answer", "look up", "think"]
    assert look.parent_id == root.span_id == llm.parent_id and root.parent_id is None
    assert (root.span_type, look.span_type, llm.span_type) == ("CHAIN", "RETRIEVER", "LLM")
    assert root.inputs == {"question": "life"} and root.outputs == "answer to life"
    assert look.outputs == ["doc 1", "doc 2"]
    assert look.get_attribute("words") == ["a", "é"]
    assert look.get_attribute("nested") == {"a": [None]}
    assert (look.get_attribute("count"), look.get_attribute("rate")) == (3, 0.5)
    wrong = client.get_trace(failed.info.request_id).data.spans[-1]
    assert wrong.events[0].name == "exception"
    assert wrong.events[0].attributes["exception.message"] == "cannot think"


def test_traces_are_searched_tagged_and_deleted(experiment):
    client = MlflowClient()
    for n in range(5):
        answer(f"question {n}")
    traces = finished(client, experiment, 5)
    one = traces[0].info.request_id
    client.set_trace_tag(one, "stage", "gold")
    assert finished(client, experiment, 1, "tags.stage = 'gold'")[0].info.request_id == one
    client.delete_trace_tag(one, "stage")
    finished(client, experiment, 0, "tags.stage = 'gold'")
    finished(client, experiment, 5, "status = 'OK' AND name LIKE 'ans%'")
    frame = mlflow.search_traces(experiment_ids=[experiment.experiment_id], max_results=3)
    assert len(frame) == 3
    assert frame["request"].iloc[0] == {"question": "question 4"}
    first = client.search_traces(experiment_ids=[experiment.experiment_id], max_results=2)
    second = client.search_traces(
        experiment_ids=[experiment.experiment_id], max_results=2, page_token=first.token
    )
    ids = {t.info.request_id for t in [*first, *second]}
    assert len(ids) == 4
    ids = {"trace_ids" if MLFLOW3 else "request_ids": [one]}
    assert client.delete_traces(experiment.experiment_id, **ids) == 1
    finished(client, experiment, 4)
    with pytest.raises(MlflowException, match="not found"):
        client.set_trace_tag(one, "x", "y")
    assert client.delete_traces(experiment.experiment_id, max_timestamp_millis=2**52) == 4


def test_a_trace_in_a_run_belongs_to_it(experiment):
    with mlflow.start_run() as run:
        answer("inside")
    answer("outside")
    finished(MlflowClient(), experiment, 2)
    found = MlflowClient().search_traces(
        experiment_ids=[experiment.experiment_id], run_id=run.info.run_id
    )
    assert [t.data.spans[0].inputs for t in found] == [{"question": "inside"}]


@only3
def test_judgements_are_kept_with_their_trace(experiment):
    from mlflow.entities import AssessmentSource, Expectation, Feedback

    answer("judged")
    (trace,) = finished(MlflowClient(), experiment, 1)
    id_ = trace.info.trace_id
    human = AssessmentSource(source_type="HUMAN", source_id="me")
    good = mlflow.log_feedback(
        trace_id=id_, name="good", value=True, source=human, rationale="short", metadata={"k": "v"}
    )
    mlflow.log_feedback(trace_id=id_, name="score", value=0.25)
    mlflow.log_feedback(trace_id=id_, name="parts", value={"a": 1.5})
    wanted = mlflow.log_expectation(trace_id=id_, name="wanted", value={"text": "42", "n": [1, 2]})
    mlflow.log_feedback(trace_id=id_, name="broken", error=ValueError("no judge"))
    got = {a.name: a for a in mlflow.get_trace(id_).info.assessments}
    assert set(got) == {"good", "score", "parts", "wanted", "broken"}
    assert got["good"].value is True and got["good"].source == human
    assert got["wanted"].value == {"text": "42", "n": [1, 2]}
    assert got["broken"].feedback.error.error_message == "no judge"
    where = [experiment.experiment_id]
    for filter_, n in {
        "feedback.score < 0.5": 1,
        "feedback.good = 'true'": 1,
        "feedback.score > 1": 0,
    }.items():
        assert len(mlflow.search_traces(locations=where, filter_string=filter_)) == n, filter_
    mlflow.update_assessment(
        trace_id=id_,
        assessment_id=good.assessment_id,
        assessment=Feedback(name="good", value=False, rationale="after all"),
    )
    mlflow.update_assessment(
        trace_id=id_,
        assessment_id=wanted.assessment_id,
        assessment=Expectation(name="wanted", value="43"),
    )
    changed = mlflow.get_assessment(id_, good.assessment_id)
    assert (changed.value, changed.rationale, changed.metadata) == (False, "after all", {"k": "v"})
    assert mlflow.get_assessment(id_, wanted.assessment_id).value == "43"
    override = mlflow.override_feedback(
        trace_id=id_, assessment_id=good.assessment_id, value=True, source=human
    )
    assert mlflow.get_assessment(id_, good.assessment_id).valid is False
    mlflow.delete_assessment(id_, override.assessment_id)
    assert mlflow.get_assessment(id_, good.assessment_id).valid is True


@only3
def test_sessions_users_models_and_previews_are_kept(experiment):
    model = mlflow.create_external_model(name="agent")
    mlflow.set_active_model(model_id=model.model_id)

    @mlflow.trace
    def chat(text):
        mlflow.update_current_trace(
            tags={"fruit": "apple"},
            metadata={"mlflow.trace.session": "s-1", "mlflow.trace.user": "me"},
            client_request_id="r-1",
            request_preview="short",
        )
        return text

    chat("hello")
    mlflow.flush_trace_async_logging()
    for filter_ in (
        "metadata.`mlflow.trace.session` = 's-1'",
        "metadata.mlflow.trace.user = 'me'",
        "client_request_id = 'r-1'",
        "tags.fruit = 'apple'",
        "trace.text LIKE '%hello%'",
        "span.name = 'chat'",
    ):
        (trace,) = mlflow.search_traces(
            locations=[experiment.experiment_id], filter_string=filter_, return_type="list"
        )
    assert trace.info.request_preview == "short" and trace.info.client_request_id == "r-1"
    (trace,) = mlflow.search_traces(
        locations=[experiment.experiment_id], model_id=model.model_id, return_type="list"
    )
    assert trace.info.trace_metadata["mlflow.modelId"] == model.model_id


@only3
def test_attachments_come_back(experiment):
    from mlflow.tracing.attachments import Attachment

    @mlflow.trace
    def draw():
        return {"image": Attachment(content_type="image/png", content_bytes=b"\x89PNG data")}

    draw()
    mlflow.flush_trace_async_logging()
    (trace,) = mlflow.search_traces(locations=[experiment.experiment_id], return_type="list")
    reference = trace.data.spans[0].outputs["image"]
    assert reference.startswith("mlflow-attachment://")
    location = trace.info.tags["mlflow.artifactLocation"]
    name = reference.split("//")[1].split("?")[0]
    path = mlflow.artifacts.download_artifacts(f"{location}/attachments/{name}")
    with open(path, "rb") as file:
        assert file.read() == b"\x89PNG data"


@only3
def test_traces_are_linked_to_runs_and_logged_from_elsewhere(experiment):
    client = MlflowClient()
    mlflow.log_trace(name="imported", request="in", response="out", tags={"from": "log"})
    (trace,) = finished(client, experiment, 1)
    with mlflow.start_run() as run:
        pass
    client.link_traces_to_run([trace.info.trace_id], run.info.run_id)
    assert [
        t.info.trace_id
        for t in client.search_traces(locations=[experiment.experiment_id], run_id=run.info.run_id)
    ] == [trace.info.trace_id]
    assert trace.info.tags["from"] == "log"


def test_many_threads_trace_at_once(experiment):
    threads = [threading.Thread(target=answer, args=(f"q{n}",)) for n in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    found = finished(MlflowClient(), experiment, 20)
    assert {t.data.spans[0].inputs["question"] for t in found} == {f"q{n}" for n in range(20)}
    assert {len(t.data.spans) for t in found} == {3}


@only3
def test_a_client_of_openai_is_traced(experiment, chat_server):
    import openai

    mlflow.openai.autolog()
    try:
        client = openai.OpenAI(base_url=chat_server, api_key="none")
        said = client.chat.completions.create(
            model="model-1", messages=[{"role": "user", "content": "how are you?"}]
        )
    finally:
        mlflow.openai.autolog(disable=True)
    assert said.choices[0].message.content == "fine"
    mlflow.flush_trace_async_logging()
    (trace,) = mlflow.search_traces(
        locations=[experiment.experiment_id],
        filter_string="span.type = 'CHAT_MODEL' AND span.attributes.mlflow.llm.model = 'model-1'",
        return_type="list",
    )
    assert trace.info.token_usage == {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}
    assert (trace.info.request_preview, trace.info.response_preview) == ("how are you?", "fine")


@only3
def test_any_opentelemetry_sdk_can_export(experiment):
    import os

    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import Status, StatusCode

    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    for compression in (Compression.NoCompression, Compression.Gzip):
        provider.add_span_processor(
            BatchSpanProcessor(
                OTLPSpanExporter(
                    endpoint=os.environ["MLFLOW_TRACKING_URI"] + "/v1/traces",
                    headers={"x-mlflow-experiment-id": experiment.experiment_id},
                    compression=compression,
                )
            )
        )
    tracer = provider.get_tracer("shop")
    with (
        tracer.start_as_current_span("order", attributes={"customer": str(uuid.UUID(int=7))}),
        tracer.start_as_current_span("pay") as pay,
    ):
        pay.set_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.usage.input_tokens": 7,
                "gen_ai.usage.output_tokens": 5,
            }
        )
        pay.add_event("refused", {"times": 2})
        pay.set_status(Status(StatusCode.ERROR, "no money"))
    assert provider.force_flush()
    provider.shutdown()
    (trace,) = mlflow.search_traces(
        locations=[experiment.experiment_id],
        filter_string="tags.`service.name` = 'shop' AND span.status = 'ERROR'",
        return_type="list",
    )
    order, pay = trace.data.spans  # each once, though they were sent twice
    assert (order.name, pay.name, pay.parent_id) == ("order", "pay", order.span_id)
    assert pay.events[0].attributes == {"times": 2} and pay.status.description == "no money"
    assert pay.span_type == "CHAT_MODEL" and trace.info.token_usage["total_tokens"] == 12


@only3
def test_areas_that_are_lacking_say_so(experiment):
    from mlflow.genai.datasets import create_dataset

    with pytest.raises(MlflowException) as refused:
        create_dataset(name="d", experiment_id=[experiment.experiment_id])
    assert refused.value.error_code == "ENDPOINT_NOT_FOUND"
    with pytest.raises(MlflowException) as refused:
        MlflowClient()._tracking_client.store.list_scorers(experiment.experiment_id)
    assert refused.value.error_code == "ENDPOINT_NOT_FOUND"
