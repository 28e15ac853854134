from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pipelines
import pytest
import yaml
from conftest import ask, equals, refusal, write


def versions_of(client, pipeline_id):
    return client.list_pipeline_versions(pipeline_id).pipeline_versions or []


def test_a_package_is_uploaded_and_found_again(client, name, packages):
    created = client.upload_pipeline(packages["add"], pipeline_name=name, description="about")
    assert created.display_name == name
    assert created.description == "about"
    assert client.get_pipeline(created.pipeline_id) == created
    assert client.get_pipeline_id(name) == created.pipeline_id
    assert client.get_pipeline_id(name + " or not") is None
    found = client.list_pipelines(filter=equals("display_name", name), namespace="anything")
    assert found.pipelines == [created]
    assert found.total_size == 1


def test_a_version_holds_the_specification_that_was_uploaded(client, uploaded, packages):
    pipeline, version = uploaded
    assert version.pipeline_id == pipeline.pipeline_id
    wanted = yaml.safe_load(Path(packages["add"]).read_text())
    assert version.pipeline_spec == wanted
    key = version.pipeline_version_id
    assert client.get_pipeline_version(pipeline.pipeline_id, key) == version


def test_platform_settings_come_back_beside_the_specification(client, name, tmp_path, packages):
    spec = yaml.safe_load(Path(packages["add"]).read_text())
    platform = {
        "platforms": {
            "kubernetes": {
                "deploymentSpec": {
                    "executors": {"exec-add": {"nodeSelector": {"labels": {"a": "b"}}}}
                }
            }
        }
    }
    both = yaml.safe_dump(spec) + "---\n" + yaml.safe_dump(platform)
    path = write(tmp_path / "both.yaml", both)
    pipeline = client.upload_pipeline(path, pipeline_name=name)
    assert versions_of(client, pipeline.pipeline_id)[0].pipeline_spec == {
        "pipeline_spec": spec,
        "platform_spec": platform,
    }


def test_a_pipeline_is_uploaded_from_its_function(client, name):
    if not hasattr(client, "upload_pipeline_from_pipeline_func"):
        pytest.skip("this SDK has no upload_pipeline_from_pipeline_func")
    pipeline = client.upload_pipeline_from_pipeline_func(pipelines.add_pipeline, name)
    version = client.upload_pipeline_version_from_pipeline_func(
        pipelines.data_pipeline, "second", pipeline_id=pipeline.pipeline_id
    )
    assert version.pipeline_spec["pipelineInfo"]["name"] == "data-flow"
    assert len(versions_of(client, pipeline.pipeline_id)) == 2


def test_a_version_is_added_by_id_or_by_name(client, uploaded, packages):
    pipeline, first = uploaded
    second = client.upload_pipeline_version(
        packages["data"], "second", pipeline_id=pipeline.pipeline_id, description="about"
    )
    third = client.upload_pipeline_version(
        packages["data"], "third", pipeline_name=pipeline.display_name
    )
    assert second.display_name == "second"
    assert second.description == "about"
    found = client.list_pipeline_versions(pipeline.pipeline_id, sort_by="created_at desc")
    assert found.pipeline_versions == [third, second, first]
    found = client.list_pipeline_versions(pipeline.pipeline_id, filter=equals("name", "second"))
    assert found.pipeline_versions == [second]


def test_names_in_use_are_conflicts(client, uploaded, packages):
    pipeline, version = uploaded
    status, error = refusal(lambda: client.upload_pipeline(packages["add"], pipeline.display_name))
    assert (status, error["code"]) == (409, 6)
    assert pipeline.display_name in error["message"]
    status, error = refusal(
        lambda: client.upload_pipeline_version(
            packages["add"], version.display_name, pipeline_id=pipeline.pipeline_id
        )
    )
    assert (status, error["code"]) == (409, 6)


def test_versions_are_deleted_before_their_pipeline(client, uploaded):
    pipeline, version = uploaded
    status, error = refusal(lambda: client.delete_pipeline(pipeline.pipeline_id))
    assert (status, error["code"]) == (409, 6)
    client.delete_pipeline_version(pipeline.pipeline_id, version.pipeline_version_id)
    assert versions_of(client, pipeline.pipeline_id) == []
    client.delete_pipeline(pipeline.pipeline_id)
    assert refusal(lambda: client.get_pipeline(pipeline.pipeline_id))[0] == 404


def test_a_pipeline_is_deleted_with_its_versions_when_asked(client, uploaded):
    pipeline, version = uploaded
    # By the bare API client, because not every SDK knows the parameter.
    ask(client, "DELETE", f"pipelines/{pipeline.pipeline_id}", query={"cascade": "true"})
    lost = [
        lambda: client.get_pipeline(pipeline.pipeline_id),
        lambda: client.get_pipeline_version(pipeline.pipeline_id, version.pipeline_version_id),
    ]
    assert [refusal(call)[0] for call in lost] == [404, 404]


def test_unknown_pipelines_and_versions_are_not_found(client, uploaded, packages):
    pipeline, _ = uploaded
    calls = [
        lambda: client.get_pipeline("no-such-id"),
        lambda: client.delete_pipeline("no-such-id"),
        lambda: client.get_pipeline_version(pipeline.pipeline_id, "no-such-id"),
        lambda: client.list_pipeline_versions("no-such-id"),
        lambda: client.upload_pipeline_version(packages["add"], "v", pipeline_id="no-such-id"),
    ]
    assert [refusal(call)[0] for call in calls] == [404] * len(calls)


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tgz"])
def test_archives_are_unpacked(client, name, tmp_path, packages, kind):
    path = tmp_path / f"package.{kind}"
    content = Path(packages["add"]).read_bytes()
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
            z.writestr("readme.txt", "x")
            z.writestr("pipeline.yaml", content)
    else:
        with tarfile.open(path, "w:gz") as t:
            info = tarfile.TarInfo("pipeline.yaml")
            info.size = len(content)
            t.addfile(info, io.BytesIO(content))
    created = client.upload_pipeline(str(path), pipeline_name=name)
    spec = versions_of(client, created.pipeline_id)[0].pipeline_spec
    assert spec["pipelineInfo"]["name"] == "add-numbers"


def damaged(packages: dict[str, str]) -> dict[str, str | bytes]:
    """Packages that must be refused, by file name."""
    spec = yaml.safe_load(Path(packages["add"]).read_text())
    nameless = {**spec, "pipelineInfo": {"name": None}}
    lost = {k: v for k, v in spec.items() if k != "components"}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        z.writestr("broken.yaml", json.dumps(lost))
    return {
        "empty.yaml": "# PIPELINE DEFINITION\n# Name: echo\n",
        "text.zip": "# PIPELINE DEFINITION\n",
        "broken.zip": buffer.getvalue(),
        "components.yaml": json.dumps(lost),
        "nameless.yaml": json.dumps(nameless),
        "unknown.yaml": json.dumps({**spec, "compnents": {}}),
        "old.yaml": json.dumps({**spec, "schemaVersion": "1.0.0"}),
        "syntax.yaml": "a: [",
        "text.yaml": "just text",
        "picture.png": b"\x89PNG\r\n\x1a\n",
    }


def test_packages_that_cannot_run_are_refused_whole(client, name, tmp_path, packages):
    for file_name, content in damaged(packages).items():
        path = write(tmp_path / file_name, content)
        status, error = refusal(lambda path=path: client.upload_pipeline(path, pipeline_name=name))
        assert (status, error["code"]) == (400, 3), (file_name, error)
        assert len(error["message"]) > 20, (file_name, error)
    assert client.get_pipeline_id(name) is None


def test_a_package_over_the_limit_is_refused_with_the_limit(client, name, tmp_path):
    path = write(tmp_path / "large.yaml", b"#" * (33 << 20))
    status, error = refusal(lambda: client.upload_pipeline(path, pipeline_name=name))
    assert (status, error["code"]) == (413, 8)
    assert str(32 << 20) in error["message"]


def test_a_packed_specification_over_the_limit_is_refused(client, name, tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("pipeline.yaml", b"#" * (33 << 20))
    status, error = refusal(lambda: client.upload_pipeline(str(path), pipeline_name=name))
    assert (status, error["code"]) == (413, 8)
