"""Autologging of PyTorch Lightning, on the processor. Its environment is large: requirements-lightning.txt."""

import mlflow
import pytest
import pytorch_lightning as pl
import torch
from mlflow import MlflowClient
from torch.utils.data import DataLoader, TensorDataset


class Line(pl.LightningModule):
    """Learns y = 3x + 1."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x):
        return self.layer(x)

    def training_step(self, batch, _index):
        x, y = batch
        loss = torch.nn.functional.mse_loss(self(x), y)
        self.log("loss", loss, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_lightning_autologging_lands_here_with_checkpoints_and_model(experiment, tmp_path):
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 64).unsqueeze(1)
    mlflow.pytorch.autolog(
        log_every_n_step=1, checkpoint=True, checkpoint_save_best_only=False, silent=True
    )
    model = Line()
    try:
        with mlflow.start_run() as run:
            trainer = pl.Trainer(
                max_epochs=5,
                accelerator="cpu",
                logger=False,
                enable_progress_bar=False,
                default_root_dir=tmp_path,
            )
            trainer.fit(model, DataLoader(TensorDataset(x, 3 * x + 1), batch_size=8))
    finally:
        mlflow.pytorch.autolog(disable=True)
    client = MlflowClient()
    got = client.get_run(run.info.run_id)
    assert got.info.status == "FINISHED"
    assert got.data.params["epochs"] == "5" and got.data.params["optimizer_name"] == "SGD"
    per_epoch = client.get_metric_history(run.info.run_id, "loss_epoch")
    assert [m.step for m in per_epoch] == list(range(5))
    assert per_epoch[-1].value == pytest.approx(float(trainer.callback_metrics["loss_epoch"]))
    assert len(client.get_metric_history(run.info.run_id, "loss_step")) >= 5
    assert {"checkpoints", "model_summary.txt"} <= {
        f.path for f in client.list_artifacts(run.info.run_id)
    }
    # The newest checkpoint and the model are what was trained.
    kept = mlflow.pytorch.load_checkpoint(Line, run.info.run_id)
    loaded = mlflow.pytorch.load_model(f"runs:/{run.info.run_id}/model")
    for again in (kept, loaded):
        assert torch.allclose(again(x), model(x))
