"""Levada's Python package. Tests of pipelines import ``levada.testing``."""
