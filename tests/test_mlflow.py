"""Pipelines logged to MLflow."""

import pytest

from tests.processes import run

pytest.importorskip("mlflow", reason="it is installed with the newest versions only")


def test_logged_pipeline_loads_with_the_same_predictions(tmp_path):
    run(
        "import os, warnings\n"
        "warnings.simplefilter('ignore')\n"  # of MLflow
        f"os.chdir({str(tmp_path)!r})\n"
        "import mlflow, skae\n"
        "from sklearn.datasets import load_wine\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.pipeline import make_pipeline\n"
        "X, y = load_wine(return_X_y=True)\n"
        "autoencoder = skae.DenseAE(2, hidden_layer_sizes=(4,), max_iter=1)\n"
        "model = make_pipeline(autoencoder, LogisticRegression(max_iter=9)).fit(X, y)\n"
        "mlflow.set_tracking_uri('file:runs')\n"
        "with mlflow.start_run():\n"
        "    info = mlflow.sklearn.log_model(\n"
        "        model,\n"
        "        name='model',\n"
        "        skops_trusted_types=skae.skops_trusted_types(),\n"
        "        pip_requirements=['skae'],\n"
        "    )\n"
        "for load in (mlflow.sklearn.load_model, mlflow.pyfunc.load_model):\n"
        "    assert (load(info.model_uri).predict(X) == model.predict(X)).all()\n",
        MLFLOW_ALLOW_FILE_STORE="true",
        MLFLOW_DISABLE_TELEMETRY="true",
    )
