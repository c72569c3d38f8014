"""Tables of numbers and categories: codes for a classifier, and the way back.

german.csv is the credit data of the UCI repository: 1,000 rows with 13 categorical and
7 numeric columns, and a class. Codes of `MixedTableEncoder` with `DenseAE`, which has
its default settings, are compared with those of PCA behind the same encoder, and behind
the usual one: numbers standardised, categories as zeros and ones. auto_imports.csv, 201
cars with missing values, is for the way back only.
"""

import os
from pathlib import Path

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.report import Target
from skae import DenseAE, MixedTableEncoder

TITLE = "tables of numbers and categories, to codes and back"

N_CODES, N_CODES_BACK = 8, 15
QUICK_SETTINGS = {"max_iter": 2}


def read_table(name):
    """Return the columns but the last one, and the last one."""
    import pandas as pd

    folder = os.environ.get("SKAE_DATA")
    path = Path(folder or ".") / name
    if not folder or not path.exists():
        raise FileNotFoundError(f"set SKAE_DATA to the folder that contains {name}")
    table = pd.read_csv(path, header=None, na_values="?").rename(columns=str)
    return table.iloc[:, :-1], table.iloc[:, -1].to_numpy()


def is_categorical(table):
    return np.array([dtype.kind not in "iuf" for dtype in table.dtypes])


def one_hot(table):
    categorical = is_categorical(table)
    return make_column_transformer(
        (StandardScaler(), table.columns[~categorical]),
        (OneHotEncoder(handle_unknown="ignore"), table.columns[categorical]),
        sparse_threshold=0,
    )


def accuracies(report, table, y):
    """Yield the name and the accuracy in each fold of each kind of codes."""
    settings = QUICK_SETTINGS if report.quick else {}
    encoder = MixedTableEncoder(handle_unknown="ignore")
    contenders = {
        "one-hot, PCA": [one_hot(table), PCA(N_CODES, svd_solver="full")],
        "MixedTableEncoder, PCA": [encoder, PCA(N_CODES, svd_solver="full")],
        "MixedTableEncoder, DenseAE": [
            encoder,
            DenseAE(N_CODES, random_state=0, **settings),
        ],
    }
    for name, steps in contenders.items():
        model = make_pipeline(*steps, LogisticRegression(max_iter=5000))
        scores = [
            cross_val_score(
                model, table, y, cv=StratifiedKFold(5, shuffle=True, random_state=seed)
            )
            for seed in report.seeds
        ]
        yield name, np.ravel(scores)


def cells_given_back(report, table, autoencoder, seed):
    """Return the share of held-out categorical cells that come back, and R2 of others.

    Missing cells are not counted.
    """
    train, test = train_test_split(table, test_size=0.3, random_state=seed)
    encoder = MixedTableEncoder(handle_missing="ignore", handle_unknown="ignore")
    model = make_pipeline(encoder, autoencoder).fit(train)
    decoded = model.inverse_transform(model.transform(test))
    categorical, present = is_categorical(table), test.notna().to_numpy()
    equal = decoded.to_numpy() == test.to_numpy()
    numbers, others = (
        frame.loc[:, ~categorical].to_numpy(dtype=float) for frame in (decoded, test)
    )
    error = np.nansum((numbers - others) ** 2, axis=0)
    spread = np.nansum((others - np.nanmean(others, axis=0)) ** 2, axis=0)
    share = equal[:, categorical][present[:, categorical]].mean()
    return float(share), float(np.mean(1 - error / spread))


def back(report, tables, shares):
    settings = QUICK_SETTINGS if report.quick else {}
    for name, table in tables.items():
        for label, make in (
            ("PCA", lambda seed: PCA(N_CODES_BACK, svd_solver="full")),
            (
                "DenseAE",
                lambda seed: DenseAE(N_CODES_BACK, random_state=seed, **settings),
            ),
        ):
            found = [
                cells_given_back(report, table, make(seed), seed)
                for seed in report.seeds
            ]
            share, explained = np.mean(found, axis=0)
            shares[name, label] = share
            yield name, label, f"{100 * share:.1f}", f"{explained:.3f}"


def main(report):
    german, y = read_table("german.csv")
    cars, _ = read_table("auto_imports.csv")
    scores, shares = {}, {}

    def rows():
        for name, found in accuracies(report, german, y):
            scores[name] = found.mean()
            yield name, f"{100 * found.mean():.1f}", f"{100 * found.std():.1f}"

    report.table(
        f"german: accuracy of logistic regression on {N_CODES} codes, five folds of "
        f"{len(report.seeds)} seeds",
        ["codes of", "accuracy (%)", "standard deviation over folds"],
        rows(),
    )
    report.table(
        f"Held-out rows through {N_CODES_BACK} codes and back",
        ["data", "codes of", "categories given back (%)", "R2 of numbers, mean"],
        back(report, {"german": german, "auto_imports": cars}, shares),
    )
    gain = scores["MixedTableEncoder, DenseAE"] - scores["one-hot, PCA"]
    report.targets(
        [
            Target("german: accuracy above one-hot and PCA", 100 * gain, 0.0, True),
            Target(
                "german: categories given back by DenseAE (%)",
                100 * shares["german", "DenseAE"],
                90.0,
                True,
            ),
        ]
    )
