"""No public method of kfp.Client is without a test."""

from __future__ import annotations

import importlib
import inspect

import kfp

# Which test calls which method. A method that a new SDK brings fails the test below until it has one.
TESTS = {
    "archive_experiment": "test_experiments.test_an_experiment_is_archived_restored_and_deleted",
    "archive_run": "test_runs.test_a_run_is_archived_restored_and_deleted",
    "create_experiment": "test_experiments.test_an_experiment_is_created_once_and_found_by_id_and_name",
    "create_recurring_run": "test_recurring_runs.create",
    "create_run_from_pipeline_func": "test_runs.test_a_pipeline_function_runs_to_its_end",
    "create_run_from_pipeline_package": "test_runs.test_data_conditions_and_loops_run",
    "delete_experiment": "test_experiments.test_an_experiment_is_archived_restored_and_deleted",
    "delete_job": "test_recurring_runs.test_the_old_names_of_the_calls_work",
    "delete_pipeline": "test_pipelines.test_versions_are_deleted_before_their_pipeline",
    "delete_pipeline_version": "test_pipelines.test_versions_are_deleted_before_their_pipeline",
    "delete_recurring_run": "test_recurring_runs.test_a_recurring_run_is_disabled_enabled_and_deleted",
    "delete_run": "test_runs.test_a_run_is_archived_restored_and_deleted",
    "disable_job": "test_recurring_runs.test_the_old_names_of_the_calls_work",
    "disable_recurring_run": "test_recurring_runs.test_a_recurring_run_is_disabled_enabled_and_deleted",
    "enable_job": "test_recurring_runs.test_the_old_names_of_the_calls_work",
    "enable_recurring_run": "test_recurring_runs.test_a_recurring_run_is_disabled_enabled_and_deleted",
    "get_experiment": "test_experiments.test_an_experiment_is_created_once_and_found_by_id_and_name",
    "get_kfp_healthz": "test_experiments.test_the_client_finds_a_server_for_one_user",
    "get_pipeline": "test_pipelines.test_a_package_is_uploaded_and_found_again",
    "get_pipeline_id": "test_pipelines.test_a_package_is_uploaded_and_found_again",
    "get_pipeline_version": "test_pipelines.test_a_version_holds_the_specification_that_was_uploaded",
    "get_recurring_run": "test_recurring_runs.test_a_recurring_run_comes_back_as_it_was_made",
    "get_run": "test_runs.test_a_run_is_archived_restored_and_deleted",
    "get_user_namespace": "test_experiments.test_the_client_finds_a_server_for_one_user",
    "list_experiments": "test_experiments.test_experiments_are_listed_in_pages_in_the_order_asked_for",
    "list_pipeline_versions": "test_pipelines.test_a_version_is_added_by_id_or_by_name",
    "list_pipelines": "test_pipelines.test_a_package_is_uploaded_and_found_again",
    "list_recurring_runs": "test_recurring_runs.test_recurring_runs_are_listed_in_pages",
    "list_runs": "test_runs.test_runs_are_listed_in_pages",
    "run_pipeline": "test_runs.test_an_uploaded_version_runs",
    "set_user_namespace": "test_experiments.test_a_namespace_is_remembered_by_the_client",
    "terminate_run": "test_runs.test_a_terminated_run_is_cancelled_and_the_client_waits_in_vain",
    "unarchive_experiment": "test_experiments.test_an_experiment_is_archived_restored_and_deleted",
    "unarchive_run": "test_runs.test_a_run_is_archived_restored_and_deleted",
    "upload_pipeline": "test_pipelines.test_a_package_is_uploaded_and_found_again",
    "upload_pipeline_from_pipeline_func": "test_pipelines.test_a_pipeline_is_uploaded_from_its_function",
    "upload_pipeline_version": "test_pipelines.test_a_version_is_added_by_id_or_by_name",
    "upload_pipeline_version_from_pipeline_func": "test_pipelines.test_a_pipeline_is_uploaded_from_its_function",
    "wait_for_run_completion": "test_runs.test_a_terminated_run_is_cancelled_and_the_client_waits_in_vain",
}


def public_methods() -> set[str]:
    members = inspect.getmembers(kfp.Client, callable)
    return {name for name, _ in members if not name.startswith("_")}


def test_every_public_method_of_the_client_has_a_test():
    assert public_methods() - set(TESTS) == set()
    for method in public_methods():
        module, _, function = TESTS[method].partition(".")
        source = inspect.getsource(getattr(importlib.import_module(module), function))
        assert f"client.{method}" in source, f"{TESTS[method]} does not call {method}"
