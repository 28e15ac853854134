"""The requests of the differential tests, as data: what is sent, in which order, what is remembered."""

from calls.artifacts import artifacts
from calls.edges import edges
from calls.experiments import experiments
from calls.metrics import metrics
from calls.model_edges import model_edges
from calls.models import logged_models
from calls.others import others
from calls.registry import registry
from calls.runs import inputs, runs
from calls.searches import searches
from calls.webhooks import webhooks
from calls.trace_searches import trace_searches
from calls.traces import traces


def scripts():
    """All scripts, in the order in which they run."""
    for group in (
        experiments,
        runs,
        metrics,
        searches,
        inputs,
        artifacts,
        logged_models,
        registry,
        edges,
        model_edges,
        webhooks,
        traces,
        trace_searches,
        others,
    ):
        yield from group()
