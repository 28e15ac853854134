"""Logs and registers models of the flavors that its arguments name, and prints what MLflow says that they predict."""

import json
import os
import sys
from importlib.metadata import version

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "2"
os.environ["HF_HUB_OFFLINE"] = "1"

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature

random = np.random.default_rng(7)
columns = ["sepal length", "sepal width", "petal length", "petal width"]
table = pd.DataFrame(random.normal(size=(40, 4)), columns=columns)
label = (table["petal length"] + table["sepal width"] > 0).astype(int)
# One environment for the models of each list: it takes longer to make than anything else here.
boosted = ["xgboost-cpu", "lightgbm", "scikit-learn"]
torched = ["torch", "transformers"]
texts = ["late again", "on time", "on time again", "very late"]


def log(flavor: object, model: object, name: str, needs: list, answers: object, **how: object):
    how.setdefault("signature", infer_signature(table, answers))
    flavor.log_model(
        model,
        name=name,
        pip_requirements=[f"{n}=={version(n)}" for n in ["mlflow", "numpy", "pandas", *needs]],
        registered_model_name=name,
        **how,
    )


def xgboost() -> None:
    from xgboost import XGBClassifier

    model = XGBClassifier(n_estimators=8, max_depth=2).fit(table, label)
    log(mlflow.xgboost, model, "xgboost", boosted, model.predict(table))


def lightgbm() -> None:
    from lightgbm import LGBMRegressor

    model = LGBMRegressor(n_estimators=8, min_child_samples=2, verbose=-1).fit(table, label)
    log(mlflow.lightgbm, model, "lightgbm", boosted, model.predict(table))


def pytorch() -> None:
    import torch

    torch.manual_seed(7)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    inputs = table.to_numpy(dtype=np.float32)
    answers = model(torch.from_numpy(inputs)).detach().numpy()
    signature = infer_signature(inputs, answers)
    for form in ("pickle", "pt2"):
        how = {"input_example": inputs[:2]} if form == "pt2" else {}
        log(
            mlflow.pytorch,
            model,
            f"pytorch-{form}",
            torched,
            answers,
            signature=signature,
            serialization_format=form,
            **how,
        )


def transformers() -> None:
    import tempfile

    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer, pipeline

    torch.manual_seed(7)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *" ".join(texts).split()]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "vocab.txt")
        with open(path, "w") as f:
            f.write("\n".join(dict.fromkeys(words)))
        tokenizer = BertTokenizer(path)
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
        )
        model = BertForSequenceClassification(config).eval()
        classify = pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu")
        log(
            mlflow.transformers,
            classify,
            "transformers",
            torched,
            None,
            signature=infer_signature(
                texts, mlflow.transformers.generate_signature_output(classify, texts)
            ),
        )


mlflow.set_tracking_uri(sys.argv[1])
makers = {
    "xgboost": xgboost,
    "lightgbm": lightgbm,
    "pytorch": pytorch,
    "transformers": transformers,
}
with mlflow.start_run():
    for name in os.environ["LEVADA_TEST_FLAVORS"].split(","):
        makers[name]()
os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "true"
said = {"rows": table.to_numpy().tolist(), "texts": texts, "models": {}}
for registered in mlflow.MlflowClient().search_registered_models():
    model = mlflow.pyfunc.load_model(f"models:/{registered.name}/1")
    given = table
    if registered.name.startswith("pytorch"):
        given = table.to_numpy(dtype=np.float32)
    elif registered.name == "transformers":
        given = texts
    answers = model.predict(given)
    if isinstance(answers, pd.DataFrame):
        answers = answers.to_dict(orient="records")
    said["models"][registered.name] = np.asarray(answers).tolist()
print(json.dumps(said))
