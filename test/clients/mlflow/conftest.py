"""What the workflow tests have in common."""

import http.server
import json
import os
import threading
import uuid

import mlflow
import pytest


@pytest.fixture(autouse=True)
def experiment():
    """Gives each test an experiment of its own."""
    assert os.environ["MLFLOW_TRACKING_URI"], "the tests need a server"
    name = f"test {uuid.uuid4().hex[:8]}"
    mlflow.set_experiment(name)
    yield mlflow.get_experiment_by_name(name)
    while mlflow.active_run():
        mlflow.end_run()


class Chat(http.server.BaseHTTPRequestHandler):
    """Answers as a server of chat completions does."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        message = {"role": "assistant", "content": "fine"}
        answer = {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "model-1",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
        }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def chat_server():
    """The URL of a server of chat completions, so that no test needs a model."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()
