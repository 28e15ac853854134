"""Files that go up and come down in pieces, through the client."""

import os

import mlflow
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository

MIB = 2**20


def counted(monkeypatch, name):
    """Counts the calls of a method of the repository, which does what it did before."""
    calls, original = [], getattr(HttpArtifactRepository, name)

    def call(self, *args, **kwargs):
        calls.append(args)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(HttpArtifactRepository, name, call)
    return calls


def test_large_files_go_up_and_come_down_in_parts(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "true")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", str(5 * MIB))
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", str(5 * MIB))
    monkeypatch.setenv("MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE", str(5 * MIB))
    monkeypatch.setenv("MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE", str(3 * MIB))
    completed = counted(monkeypatch, "complete_multipart_upload")
    content = os.urandom(17 * MIB + 3)
    large, small = tmp_path / "large file.bin", tmp_path / "small.txt"
    large.write_bytes(content)
    small.write_text("small")
    with mlflow.start_run() as run:
        mlflow.log_artifact(str(large), "deep/er")
        mlflow.log_artifact(str(small))
    assert [len(parts) for _, _, parts, *_ in completed] == [4]
    found = mlflow.MlflowClient().list_artifacts(run.info.run_id, "deep/er")
    assert [(f.path, f.file_size) for f in found] == [("deep/er/large file.bin", len(content))]
    downloads = (
        counted(monkeypatch, "_multipart_download")
        if hasattr(HttpArtifactRepository, "_multipart_download")
        else None
    )
    for path, want in {"deep/er/large file.bin": content, "small.txt": b"small"}.items():
        back = mlflow.artifacts.download_artifacts(
            run_id=run.info.run_id, artifact_path=path, dst_path=str(tmp_path / "back")
        )
        with open(back, "rb") as f:
            assert f.read() == want
    if downloads is not None:
        assert downloads, "the client did not read in pieces"
