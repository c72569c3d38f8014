import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skae import ConvAE, DenseAE, compare_with_pca

QUICK = {"hidden_layer_sizes": (32,), "max_iter": 30, "random_state": 0}


@pytest.fixture(scope="module")
def classes():
    return load_digits().target


@pytest.mark.parametrize("ordered", [True, False])
def test_results_equal_a_cross_validation_by_hand(digits, classes, ordered):
    autoencoder = DenseAE(ordered=ordered, **QUICK)
    neighbours = KNeighborsClassifier()
    result = compare_with_pca(
        digits,
        classes,
        n_components=[2, 4],
        autoencoder=autoencoder,
        estimator=neighbours,
    )
    for i, k in enumerate([2, 4]):
        pca = PCA(k, svd_solver="full")
        scores = cross_val_score(make_pipeline(pca, neighbours), digits, classes, cv=3)
        np.testing.assert_allclose(result.pca_scores[i], scores)
        splits = StratifiedKFold(3).split(digits, classes)
        for j, (train, test) in enumerate(splits):
            X, X_test = digits[train], digits[test]
            pca.fit(X)
            model = DenseAE(4 if ordered else k, ordered=ordered, **QUICK).fit(X)
            model = model.truncate(k) if ordered else model
            total = np.mean((X_test - X.mean(axis=0)) ** 2)
            for fitted, errors, explained in (
                (pca, result.pca_errors, result.pca_explained),
                (model, result.autoencoder_errors, result.autoencoder_explained),
            ):
                outputs = fitted.inverse_transform(fitted.transform(X_test))
                error = np.mean((X_test - outputs) ** 2)
                assert errors[i, j] == pytest.approx(error)
                assert explained[i, j] == pytest.approx(1 - error / total)
            score = neighbours.fit(model.transform(X), classes[train]).score(
                model.transform(X_test), classes[test]
            )
            assert result.autoencoder_scores[i, j] == pytest.approx(score)
            assert result.used_network[i, j] == model.used_network_


def test_without_an_estimator_there_are_no_scores(digits):
    result = compare_with_pca(
        digits[:120].astype(np.float32),
        n_components=[3],
        autoencoder=ConvAE(early_stopping=False, max_iter=1, filters=(2,)),
        cv=KFold(2, shuffle=True, random_state=0),
    )
    assert result.pca_errors.shape == result.autoencoder_errors.shape == (1, 2)
    assert result.pca_scores is result.autoencoder_scores is None
    assert "score" not in str(result)


def test_printed_table_has_a_line_for_each_number_of_components(digits, classes):
    result = compare_with_pca(
        digits[:40],
        classes[:40],
        n_components=[1, 3],
        estimator=LogisticRegression(),
        scoring="neg_log_loss",
        cv=2,
    )
    header, *lines = str(result).splitlines()
    assert "score" in header
    assert [line.split()[0] for line in lines] == ["1", "3"]
    assert all(len(line) == len(header) for line in lines)
    assert lines[1].endswith("0/2")
    assert f"{result.pca_errors[1].mean():.4g}" in lines[1]
    assert (result.pca_scores < 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_components": []}, "sequence of integers"),
        ({"n_components": [2, 0]}, "sequence of integers"),
        ({"n_components": [0.9]}, r"sequence of integers.*got \[0\.9\]"),
        ({"n_components": [2, 65]}, "n_components has 65, but .* at most 64"),
        ({"estimator": LogisticRegression()}, "estimator needs y"),
        (
            {
                "estimator": LogisticRegression(),
                "scoring": ["accuracy"],
                "y": [0] * 300,
            },
            r"scoring must be one str or callable, got \['accuracy'\]",
        ),
        ({"cv": []}, r"at least one split, got \[\]"),
        ({"y": [1, 2, 3]}, "inconsistent numbers of samples"),
    ],
)
def test_inconsistent_arguments_are_refused(digits, arguments, message):
    with pytest.raises(ValueError, match=message):
        compare_with_pca(digits[:300], **arguments)


def test_other_estimators_are_refused(digits):
    with pytest.raises(TypeError, match=r"must be an autoencoder of skae, got PCA\(\)"):
        compare_with_pca(digits[:300], autoencoder=PCA())


def test_comparing_all_components_does_not_change_the_results_for_fewer():
    """PCA with all components is exact, so no network is accepted there."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(600, 2))
    X = np.column_stack([Z, np.sin(2 * Z[:, 0]), Z[:, 0] ** 2, Z[:, 0] * Z[:, 1]])
    X += 0.05 * rng.normal(size=X.shape)
    few, all_components = (
        compare_with_pca(
            X,
            n_components=numbers,
            autoencoder=DenseAE(ordered=True, **QUICK),
            cv=KFold(2, shuffle=True, random_state=0),
        )
        for numbers in ([1, 3], [1, 3, 5])
    )
    assert few.used_network.any()
    np.testing.assert_array_equal(
        all_components.autoencoder_errors[:2], few.autoencoder_errors
    )
    assert not all_components.used_network[2].any()


@pytest.mark.parametrize("with_classes", [False, True])
def test_copies_of_test_rows_are_not_trained_on(digits, classes, with_classes):
    X, y = digits[:60], classes[:60] % 2
    autoencoder = DenseAE(early_stopping=False, max_iter=1, hidden_layer_sizes=(4,))
    fitted = []

    class Recording(DenseAE):
        def fit(self, X, y=None, *, groups=None, X_val=None):
            fitted.append({*map(tuple, X)})
            return super().fit(X, y)

    result = compare_with_pca(
        np.repeat(X, 4, axis=0),
        np.repeat(y, 4) if with_classes else None,
        n_components=[2],
        autoencoder=Recording(**autoencoder.get_params()),
        cv=3,
    )
    assert result.pca_errors.shape == (1, 3)
    assert [len(rows) for rows in fitted] == [40, 40, 40]


class RecordedFits(DenseAE):
    """Records the rows and groups of each fit."""

    fits = []  # noqa: RUF012

    def fit(self, X, y=None, *, groups=None, X_val=None):
        self.fits.append((X, groups))
        return super().fit(X, y, groups=groups, X_val=X_val)


@pytest.fixture
def fits():
    RecordedFits.fits.clear()
    return RecordedFits.fits


@pytest.mark.parametrize("with_classes", [False, True])
def test_groups_stay_together_in_the_splits_and_in_the_fits(
    digits, classes, fits, with_classes
):
    X, groups = digits[:300], np.repeat([f"subject {i}" for i in range(30)], 10)
    compare_with_pca(
        X,
        classes[:300] % 2 if with_classes else None,
        groups=groups,
        n_components=[2],
        autoencoder=RecordedFits(max_iter=1, hidden_layer_sizes=(4,)),
    )
    names_of = {tuple(row): name for row, name in zip(X, groups, strict=True)}
    assert len(fits) == 3
    for rows, of_fit in fits:
        names = np.array([names_of[tuple(row)] for row in rows])
        assert set(np.unique(names, return_counts=True)[1]) == {10}  # whole groups
        np.testing.assert_array_equal(of_fit, names)


def test_blocks_are_consecutive_with_a_gap(digits, fits):
    X = digits[:300] + np.arange(300)[:, np.newaxis]
    compare_with_pca(
        X,
        n_components=[2],
        autoencoder=RecordedFits(max_iter=1, hidden_layer_sizes=(4,)),
        cv="blocks",
    )
    # A gap of 15 rows, 5 % of all, on one side or on both.
    assert [len(rows) for rows, _ in fits] == [185, 170, 185]
    np.testing.assert_array_equal(fits[0][0], X[115:])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": np.arange(9)}, "groups of shape .9,. for X of 300 rows"),
        ({"groups": np.zeros(300)}, "groups with the single value"),
        ({"groups": np.arange(300) % 2}, "cv=3 needs at least 3 groups"),
        ({"cv": "random"}, "cv must be 'blocks' if it is a str"),
    ],
)
def test_invalid_groups_and_splits_are_refused(digits, arguments, message):
    with pytest.raises(ValueError, match=message):
        compare_with_pca(digits[:300], n_components=[2], **arguments)
