"""Targets beside the rows, and the linear head on PCA's codes."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge

from skae._fit.pca import decompose
from skae._fit.targets import (
    TargetHead,
    Targets,
    errors_by_row,
    fitted_head,
    head_of_pca,
    pca_codes,
    scores,
)
from skae._network.affine import Affine

N_ROWS = 200


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def codes(rng):
    return rng.normal(size=(N_ROWS, 3))


@pytest.fixture
def classes(codes, rng):
    return (codes + 0.5 * rng.normal(size=codes.shape)).argmax(axis=1)


def one_hot(classes, n_classes=3):
    return np.eye(n_classes)[classes]


def softmax(outputs):
    shares = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_head_of_classes_is_logistic_regression(codes, classes, n_classes):
    classes = np.minimum(classes, n_classes - 1)
    head = fitted_head(codes, one_hot(classes, n_classes), "classes")
    model = LogisticRegression().fit(codes, classes)
    np.testing.assert_allclose(
        softmax(head(codes)), model.predict_proba(codes), atol=1e-4
    )


def test_head_of_numbers_is_ridge_regression(codes, rng):
    numbers = np.column_stack([codes @ [1.0, 2.0, 3.0], rng.normal(size=N_ROWS)])
    labels = np.column_stack([numbers, np.ones(N_ROWS)])
    head = fitted_head(codes, labels, "numbers")
    expected = Ridge().fit(codes, numbers).predict(codes)
    np.testing.assert_allclose(head(codes), expected, atol=1e-10)


def test_rows_without_a_label_are_ignored(codes, classes):
    labelled = np.arange(N_ROWS) % 4 == 0
    labels = one_hot(classes) * labelled[:, np.newaxis] * 4.0
    head = fitted_head(codes, labels, "classes")
    expected = fitted_head(codes[labelled], one_hot(classes[labelled]), "classes")
    np.testing.assert_allclose(head(codes), expected(codes), atol=1e-6)
    wrong = codes.copy()
    wrong[~labelled] = np.nan
    assert np.isfinite(fitted_head(wrong, labels, "classes").kernel).all()


def test_class_without_a_row_gets_a_small_share(codes, classes):
    head = fitted_head(codes, one_hot(classes, 4), "classes")
    shares = softmax(head(codes))[:, 3]
    assert 0 < shares.min() <= shares.mean() < 0.02
    model = LogisticRegression().fit(codes, classes)
    np.testing.assert_array_equal(head(codes).argmax(axis=1), model.predict(codes))


def test_single_class_needs_no_codes(codes):
    head = fitted_head(codes, one_hot(np.ones(N_ROWS, int)), "classes")
    assert not head.kernel.any()
    assert (head(codes).argmax(axis=1) == 1).all()


def test_units_make_both_losses_of_pca_equal(rng):
    Z = rng.normal(size=(N_ROWS, 6)) * [3, 2, 1, 1, 1, 1]
    y = (Z[:, 0] + rng.normal(size=N_ROWS) > 0).astype(int)
    targets = Targets("classes", one_hot(y, 2).astype(np.float32), 2)
    axes = decompose(Z).axes(2)
    head = head_of_pca(axes, Z, np.arange(N_ROWS), targets, "squared_error")
    outputs = head(pca_codes(axes, Z))
    loss = head.losses(targets.labels, outputs).mean()
    assert loss * head.unit == pytest.approx(axes.error)
    pca = PCA(2, whiten=True).fit(Z)
    model = LogisticRegression().fit(pca.transform(Z), y)
    accuracy = 1 - errors_by_row("classes", targets.labels, [outputs])[:, 0].mean()
    assert accuracy == pytest.approx(model.score(pca.transform(Z), y), abs=0.01)


def test_unit_is_bounded_where_pca_is_exact(rng):
    Z = rng.normal(size=(N_ROWS, 2))
    y = (Z[:, 0] > 0).astype(int)
    targets = Targets("classes", one_hot(y, 2).astype(np.float32), 2)
    axes = decompose(Z).axes(2)
    head = head_of_pca(axes, Z, np.arange(N_ROWS), targets, "squared_error")
    assert 1e-4 < head.unit < 1


def test_head_after_a_map_of_the_codes(codes, rng):
    head = TargetHead("classes", rng.normal(size=(3, 4)), rng.normal(size=4), 1.0)
    units = Affine(rng.normal(size=(3, 3)), rng.normal(size=3))
    np.testing.assert_allclose(head.after(units)(codes), head(units(codes)))
    assert head.after(None) is head


def test_scores_are_accuracy_and_r2(rng):
    labels = one_hot(np.array([0, 1, 2, 0]))
    labels[3] = 0  # has no label
    outputs = one_hot(np.array([0, 1, 0, 0]))
    assert scores(errors_by_row("classes", labels, [outputs])) == [pytest.approx(2 / 3)]
    numbers = rng.normal(size=50)
    numbers -= numbers.mean()
    predicted = numbers + 0.1 * rng.normal(size=50)
    labels = np.column_stack([numbers, np.ones(50)])
    found = scores(errors_by_row("numbers", labels, [predicted[:, np.newaxis]]))
    from sklearn.metrics import r2_score

    assert found == [pytest.approx(r2_score(numbers, predicted))]


def test_score_of_no_labels_is_not_a_number():
    errors = errors_by_row("classes", np.zeros((3, 2)), [np.zeros((3, 2))])
    assert np.isnan(scores(errors)).all()
