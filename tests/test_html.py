"""How estimators and results look in notebooks."""

import html
import pickle
import re

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skae
from skae import DenseAE, PCAComparison, TruncationSearchCV
from skae._utils.html import html_table
from tests.estimators import NAMES

SMALL = {"hidden_layer_sizes": (8,), "max_iter": 2, "random_state": 0}


def captions(estimator):
    text = estimator._repr_html_()
    return [
        html.unescape(caption)
        for caption in re.findall(r'<div class="caption">([^<]*)</div>', text)
    ]


@pytest.mark.parametrize(
    "name",
    [*NAMES, "MixedTableEncoder", "ReconstructionOutlierDetector"],
)
def test_diagram_links_to_the_page_of_the_estimator(name):
    estimator = getattr(skae, name)()
    link = f"https://skae.readthedocs.io/en/latest/generated/skae.{name}.html"
    assert estimator._get_doc_link() == link
    assert f'href="{link}"' in estimator._repr_html_()


def test_estimator_of_a_user_has_no_link():
    class Theirs(DenseAE):
        pass

    assert Theirs()._get_doc_link() == ""


def test_facts_of_a_network(digits):
    model = DenseAE(3, **SMALL)
    assert captions(model) == []
    model.fit(digits)
    error, pca_error = model.reconstruction_error_, model.pca_reconstruction_error_
    facts = (
        f"network: 3 codes, 2 epochs, held-out error {error:.4g} "
        f"(PCA's {pca_error:.4g})"
    )
    assert captions(model) == [facts]
    in_pipeline = make_pipeline(StandardScaler(), model, LogisticRegression())
    in_pipeline[0].fit(digits), in_pipeline[-1].fit(digits[:, :3], digits[:, 20] > 0)
    assert captions(in_pipeline) == [facts]


def test_facts_of_a_block_are_not_of_held_out_rows(digits):
    model = DenseAE(3, **SMALL).fit(digits)
    model.partial_fit(digits[:200])
    assert f"training error {model.reconstruction_error_:.4g}" in captions(model)[0]
    assert captions(pickle.loads(pickle.dumps(model))) == captions(model)


def test_facts_of_pca():
    noise = np.random.default_rng(0).normal(size=(30, 4))
    model = DenseAE(1).fit(noise)
    error = f"{model.reconstruction_error_:.4g}"
    assert captions(model) == [f"PCA: 1 code, training error {error}"]


def test_comparison_is_a_table_of_what_it_prints():
    errors = np.array([[2.0, 4.0], [1.0, 1.0]])
    comparison = PCAComparison(
        np.array([1, 2]), errors, errors / 2, errors / 9, errors / 8, errors > 1
    )
    table = comparison._repr_html_()
    cells = [re.findall(r">([^<>]+)</td>", row) for row in table.split("<tr>")[2:]]
    printed = [line.split() for line in str(comparison).splitlines()[1:]]
    assert cells == printed
    assert cells[0][1:3] == ["3", "1.5"]


def test_results_of_a_search_are_a_table(digits, digit_labels):
    model = make_pipeline(DenseAE(**SMALL), LogisticRegression(max_iter=1000))
    search = TruncationSearchCV(
        model, [1, 3], cv=2, scoring=["accuracy", "f1_macro"], refit="accuracy"
    )
    assert "<table><thead>" not in search._repr_html_()
    search.fit(digits, digit_labels)
    text = search._repr_mimebundle_()["text/html"]
    # A parameter that is set after the fit says nothing of its results.
    assert search.set_params(return_train_score=True)._repr_html_()
    table = text[text.index("<table><thead>") :]
    assert "<th>mean accuracy</th>" in table
    assert "<th>std of f1_macro</th>" in table
    bold = table[table.index("font-weight: bold") :]
    best = search.cv_results_["mean_test_accuracy"].max()
    assert f">{search.best_params_['denseae__n_components']}</td>" in bold
    assert f">{best:.4g}</td>" in bold


def test_text_is_escaped():
    table = html_table(["<b>"], [["<script>"], [0.123456]])
    assert "<b>" not in table
    assert "<script>" not in table
    assert "&lt;script&gt;" in table
    assert ">0.1235<" in table
