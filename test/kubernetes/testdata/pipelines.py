"""Pipelines that use the Kubernetes extras of KFP. Compile them again with kfp[kubernetes]==2.17.0:

    python pipelines.py

Each writes the YAML file of its name beside this one.
"""

import os

from kfp import compiler, dsl, kubernetes

component = dsl.component(base_image="python:3.11")


@component
def say(text: str) -> str:
    return text


@component
def check_extras(static: str) -> str:
    import os

    env = os.environ
    password = "-".join(
        ["sesame", "open", "123"]
    )  # not as it is: tests look for it where it must not be
    assert env["USER_STATIC"] == "ada", env["USER_STATIC"]
    assert env["PASSWORD_PARAMETER"] == password
    assert env["PASSWORD_OUTPUT"] == password
    assert env["RATE"] == "0.1"
    assert "OPTIONAL" not in env
    print("the password is", env["PASSWORD_PARAMETER"])
    assert sorted(os.listdir("/mnt/secret")) == ["password", "user"]
    assert open("/mnt/secret/password").read() == password
    assert open("/mnt/config/rate").read() == "0.1"
    assert os.listdir("/mnt/optional") == []
    assert env["LABEL"] == "blue" and env["NOTE"] == "a note", (env["LABEL"], env["NOTE"])
    assert env["NAMESPACE"] and env["POD"].startswith("check-extras-") and env["IP"]
    with open("/mnt/empty/x", "w") as f:
        f.write("x")
    with open("/mnt/memory/x", "w") as f:
        f.write("x")
    with open("/mnt/ephemeral/x", "w") as f:
        f.write("x")
    with open("/mnt/claim/" + static, "w") as f:
        f.write("from extras")
    return static


@component
def read_claim(name: str) -> str:
    import os

    assert not os.path.exists("/mnt/empty")
    return open("/elsewhere/sub/" + name).read()


@dsl.pipeline(name="kubernetes-extras")
def extras(secret_name: str = "database") -> str:
    name = say(text="database")
    claim = kubernetes.CreatePVC(
        pvc_name_suffix="-extras",
        access_modes=["ReadWriteMany"],
        size="1Gi",
        storage_class_name="standard",
    )
    task = check_extras(static="file.txt")
    kubernetes.use_secret_as_env(task, "database", {"user": "USER_STATIC"})
    kubernetes.use_secret_as_env(task, secret_name, {"password": "PASSWORD_PARAMETER"})
    kubernetes.use_secret_as_env(task, name.output, {"password": "PASSWORD_OUTPUT"})
    kubernetes.use_secret_as_env(task, "not-there", {"x": "OPTIONAL"}, optional=True)
    kubernetes.use_secret_as_volume(task, secret_name, "/mnt/secret")
    kubernetes.use_secret_as_volume(task, "not-there", "/mnt/optional", optional=True)
    kubernetes.use_config_map_as_env(task, "training", {"rate": "RATE"})
    kubernetes.use_config_map_as_volume(task, "training", "/mnt/config")
    kubernetes.mount_pvc(task, claim.outputs["name"], "/mnt/claim", sub_path="sub")
    kubernetes.empty_dir_mount(task, "empty", "/mnt/empty", size_limit="1Gi")
    kubernetes.empty_dir_mount(task, "memory", "/mnt/memory", medium="Memory", size_limit="1Mi")
    kubernetes.add_ephemeral_volume(task, "scratch", "/mnt/ephemeral", ["ReadWriteOnce"], "1Gi")
    kubernetes.add_pod_label(task, "colour", "blue")
    kubernetes.add_pod_annotation(task, "note", "a note")
    kubernetes.use_field_path_as_env(task, "LABEL", "metadata.labels['colour']")
    kubernetes.use_field_path_as_env(task, "NOTE", "metadata.annotations['note']")
    kubernetes.use_field_path_as_env(task, "NAMESPACE", "metadata.namespace")
    kubernetes.use_field_path_as_env(task, "POD", "metadata.name")
    kubernetes.use_field_path_as_env(task, "IP", "status.podIP")
    kubernetes.add_node_selector(task, "disk", "ssd")
    kubernetes.add_toleration(task, "gpu", "Exists", effect="NoSchedule")
    kubernetes.set_image_pull_policy(task, "Always")
    kubernetes.set_image_pull_secrets(task, ["registry"])
    kubernetes.set_timeout(task, 300)
    kubernetes.set_security_context(task, run_as_user=1000)
    task.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(1)
    task.set_cpu_request("100m").set_memory_request("64Mi")
    reader = read_claim(name=task.output)
    kubernetes.mount_pvc(reader, claim.outputs["name"], "/elsewhere")
    kubernetes.DeletePVC(pvc_name=claim.outputs["name"]).after(reader)
    return reader.output


@component
def secret_of_item(name: str) -> str:
    import os

    return f"{name} {len(os.environ['PASSWORD'])}"


@component
def join(lines: list) -> str:
    return ", ".join(lines)


@dsl.pipeline(name="secrets-in-a-loop")
def secrets_in_a_loop() -> str:
    with dsl.ParallelFor(["database", "storage"]) as item:
        task = secret_of_item(name=item)
        kubernetes.use_secret_as_env(task, item, {"password": "PASSWORD"})
    return join(lines=dsl.Collected(task.output)).output


@component
def write_fixed_path(mine: str) -> str:
    """Writes two fixed paths, and reads them when all others have written theirs."""
    import os
    import time

    for path in ("/tmp/levada-clash", "/kfp-workspace/" + mine):
        with open(path, "w") as f:
            f.write(mine)
    limit = time.monotonic() + 120
    while len(os.listdir("/kfp-workspace")) < 3 and time.monotonic() < limit:
        time.sleep(0.02)
    assert sorted(os.listdir("/kfp-workspace")) == ["a", "b", "c"], os.listdir("/kfp-workspace")
    return open("/tmp/levada-clash").read()


@dsl.pipeline(
    name="fixed-paths",
    pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size="1Gi")),
)
def fixed_paths() -> str:
    with dsl.ParallelFor(["a", "b", "c"]) as item:
        task = write_fixed_path(mine=item).set_caching_options(False)
    return join(lines=dsl.Collected(task.output)).output


@component
def write_workspace(workspace: str) -> str:
    import os

    os.makedirs(workspace + "/made", exist_ok=True)
    with open(workspace + "/made/data.csv", "w") as f:
        f.write("1\n")
    return workspace + "/made/data.csv"


@component
def change_copy(data: dsl.Input[dsl.Dataset], isolated: bool) -> str:
    assert data.metadata["kind"] == "csv"
    if isolated:
        assert data.path.startswith("/kfp-workspace/"), data.path
        assert data.metadata["_kfp_workspace"] is True
    with open(data.path, "a") as f:
        f.write("2\n")
    return open(data.path).read()


@dsl.pipeline(
    name="workspace-import",
    pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size="1Gi")),
)
def workspace_import(isolated: bool = True) -> str:
    path = write_workspace(workspace=dsl.WORKSPACE_PATH_PLACEHOLDER)
    imported = dsl.importer(
        artifact_uri=path.output,
        artifact_class=dsl.Dataset,
        metadata={"kind": "csv"},
        reimport=True,
        download_to_workspace=True,
    )
    return change_copy(data=imported.output, isolated=isolated).output


@component
def sleep(seconds: float) -> float:
    import time

    time.sleep(seconds)
    return seconds


@dsl.pipeline(
    name="deadline",
    pipeline_config=dsl.PipelineConfig(active_deadline_seconds=3),
)
def deadline(seconds: float = 600.0):
    sleep(seconds=sleep(seconds=seconds).set_caching_options(False).output)


@component
def leave_files(fail: bool):
    with open("/kfp-workspace/file", "w") as f:
        f.write("x")
    with open("/mnt/volume/file", "w") as f:
        f.write("x")
    if fail:
        raise ValueError("as asked")


@dsl.pipeline(
    name="time-to-live",
    pipeline_config=dsl.PipelineConfig(
        workspace=dsl.WorkspaceConfig(size="1Gi"),
        ttl_seconds_after_finished=1000,
        ttl_seconds_after_failure=2,
    ),
)
def time_to_live(fail: bool):
    claim = kubernetes.CreatePVC(
        pvc_name_suffix="-kept",
        access_modes=["ReadWriteMany"],
        size="1Gi",
        storage_class_name="standard",
    )
    task = leave_files(fail=fail)
    kubernetes.mount_pvc(task, claim.outputs["name"], "/mnt/volume")


@dsl.component(
    base_image="python:3.11",
    task_config_passthroughs=[
        dsl.TaskConfigField.RESOURCES,
        dsl.TaskConfigField.KUBERNETES_TOLERATIONS,
        dsl.TaskConfigField.KUBERNETES_NODE_SELECTOR,
        dsl.TaskConfigField.KUBERNETES_AFFINITY,
        dsl.TaskConfigPassthrough(field=dsl.TaskConfigField.ENV, apply_to_task=True),
        dsl.TaskConfigPassthrough(field=dsl.TaskConfigField.KUBERNETES_VOLUMES, apply_to_task=True),
    ],
)
def show_task_config(gpus: str, task_config: dsl.TaskConfig) -> dict:
    import dataclasses
    import os

    assert os.environ["STAGE"] == "test" and os.path.isdir("/mnt/data")
    return dataclasses.asdict(task_config)


@dsl.pipeline(name="task-config")
def task_config(gpus: str = "2", claim: str = "shared-data") -> dict:
    task = show_task_config(gpus=gpus)
    task.set_cpu_request("1").set_cpu_limit("2").set_memory_limit("50Gi")
    task.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(gpus)
    task.set_env_variable("STAGE", "test")
    kubernetes.use_secret_as_env(task, "database", {"password": "PASSWORD"})
    kubernetes.mount_pvc(task, claim, "/mnt/data", sub_path="sub")
    kubernetes.add_toleration(task, "gpu", "Exists", effect="NoSchedule")
    kubernetes.add_node_selector(task, "disk", "ssd")
    kubernetes.add_node_affinity(
        task, match_expressions=[{"key": "zone", "operator": "In", "values": ["a"]}]
    )
    return task.output


def main() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    for pipeline in (
        extras,
        secrets_in_a_loop,
        fixed_paths,
        workspace_import,
        deadline,
        time_to_live,
        task_config,
    ):
        path = os.path.join(here, pipeline.name + ".yaml")
        compiler.Compiler().compile(pipeline, path)


if __name__ == "__main__":
    main()
