"""Checks which models the worker gives an array in place of a table, and that they answer the same."""

import modelworker
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler


class Own(LogisticRegression):
    """Somebody's own class may do anything."""


table = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 3)), columns=list("abc"))
table["c"] = (table["c"] > 0).astype(float)
label = (table["a"] > 0).astype(int)
cases = [
    (True, LogisticRegression()),
    (True, RandomForestClassifier(5)),
    (True, HistGradientBoostingClassifier(max_iter=3)),
    (True, make_pipeline(StandardScaler(), LogisticRegression())),
    (False, HistGradientBoostingClassifier(max_iter=3, categorical_features=["c"])),
    (False, make_pipeline(FunctionTransformer(lambda t: t[["a"]]), LogisticRegression())),
    (
        False,
        make_pipeline(
            make_column_transformer((StandardScaler(), ["a", "b"])), LogisticRegression()
        ),
    ),
    (False, make_pipeline(StandardScaler().set_output(transform="pandas"), LogisticRegression())),
    (False, VotingClassifier([("x", LogisticRegression())])),
    (False, Own()),
]
for want, model in cases:
    model.fit(table, label)
    names = modelworker.names_of(model)
    assert names == (list("abc") if want else None), (model, names)
    if want:
        assert (model.predict(table.to_numpy()) == model.predict(table)).all(), model
assert modelworker.names_of(LogisticRegression().fit(table.to_numpy(), label)) is None
assert modelworker.names_of(object()) is None
