import numpy as np
import pytest

from skae._fit.acceptance import (
    HoldoutComparison,
    compare,
    joined,
    joined_folds,
    pca_errors,
)
from skae._fit.code_kinds import NestedCode
from skae._fit.starts import pca_start
from skae._network.nested import nested_weights
from tests.fit.plans import (
    SIGMOID_OUTPUT,
    make_network,
    make_task,
    random_rows,
)
from tests.networks import draw_weights

N_ROWS = 100


def made_up(gains, pca_loss=1.0):
    """Return a comparison with the given gains, of shape (n_rows, n_cuts)."""
    gains = np.asarray(gains, dtype=float)
    pca_losses = np.full(gains.shape, pca_loss)
    losses = pca_losses * (1 - gains)
    return HoldoutComparison(
        losses, pca_losses, losses, pca_losses, np.ones(len(gains))
    )


def spread(mean, standard_errors):
    """Return one gain for each row: their mean is that many standard errors."""
    pattern = np.tile([-1.0, 1.0], N_ROWS // 2)
    error = pattern.std(ddof=1) / np.sqrt(N_ROWS)
    return (mean + pattern * abs(mean) / (abs(standard_errors) * error))[:, np.newaxis]


# --- The rule ---


@pytest.mark.parametrize(
    ("standard_errors", "accepted"), [(2.1, True), (1.9, False), (0.5, False)]
)
@pytest.mark.parametrize("mean", [0.3, 0.001])
def test_gain_must_exceed_two_standard_errors(mean, standard_errors, accepted):
    comparison = made_up(spread(mean, standard_errors))
    assert comparison.mean_gain == pytest.approx(mean)
    assert comparison.is_accepted == accepted
    assert not comparison.is_clearly_worse


@pytest.mark.parametrize(
    ("standard_errors", "clearly_worse"), [(1.1, True), (0.9, False)]
)
def test_loss_beyond_one_standard_error_is_clearly_worse(
    standard_errors, clearly_worse
):
    comparison = made_up(spread(-0.1, standard_errors))
    assert not comparison.is_accepted
    assert comparison.is_clearly_worse == clearly_worse


def test_worse_at_one_cut_is_rejected_however_good_the_others_are():
    better, worse = spread(0.5, 50), spread(-0.001, 50)
    assert made_up(np.hstack([better, better, better])).is_accepted
    comparison = made_up(np.hstack([better, worse, better]))
    assert not comparison.is_accepted
    assert not comparison.is_clearly_worse


def test_equal_to_pca_is_rejected():
    comparison = made_up(np.zeros((N_ROWS, 2)))
    assert not comparison.is_accepted
    assert not comparison.is_clearly_worse


def test_rows_are_compared_in_pairs():
    """Losses that differ between rows much more than between models do not matter."""
    pca_losses = np.geomspace(1, 1000, N_ROWS)[:, np.newaxis]
    losses = pca_losses - 0.01
    comparison = made_up(np.zeros((N_ROWS, 1)))._replace(
        losses=losses, pca_losses=pca_losses
    )
    assert comparison.is_accepted


def test_noise_at_any_cut_counts():
    quiet, noisy = spread(0.1, 50), spread(0.1, 0.5)
    assert made_up(np.hstack([quiet, quiet])).is_accepted
    assert not made_up(np.hstack([quiet, noisy])).is_accepted
    assert not made_up(np.hstack([noisy, quiet])).is_accepted


def test_gains_are_relative_to_the_mean_loss_of_pca_at_each_cut():
    comparison = made_up(np.zeros((N_ROWS, 2)))
    pca_losses = np.tile([[2.0, 0.1], [6.0, 0.3]], (N_ROWS // 2, 1))
    comparison = comparison._replace(pca_losses=pca_losses, losses=pca_losses * 0.5)
    expected = np.tile([[0.25, 0.25], [0.75, 0.75]], (N_ROWS // 2, 1))
    np.testing.assert_allclose(comparison.gains_by_row(), expected)
    assert comparison.mean_gain == pytest.approx(0.5)


def test_gains_are_absolute_if_pca_has_no_loss():
    comparison = made_up(np.zeros((N_ROWS, 1)), pca_loss=0.0)
    comparison = comparison._replace(losses=np.full((N_ROWS, 1), 0.1))
    np.testing.assert_allclose(comparison.gains_by_row(), -0.1)
    assert comparison.is_clearly_worse


# --- What is reported ---


def test_error_ratio_is_one_if_pca_has_no_error():
    errors = np.full((N_ROWS, 3), [0.5, 0.2, 0.1])
    pca = np.full((N_ROWS, 3), [1.0, 0.1, 0.0])
    comparison = HoldoutComparison(errors, pca, errors, pca, np.ones(N_ROWS))
    np.testing.assert_allclose(comparison.error_ratio, [0.5, 2, 1])


def test_explained_share_is_at_least_zero_and_never_decreases():
    errors = np.full((N_ROWS, 5), [9.0, 2.0, 1.0, 1.5, 0.5])
    distances = np.tile([1.0, 7.0], N_ROWS // 2)  # 4 in the mean
    comparison = HoldoutComparison(errors, errors, errors, errors, distances)
    np.testing.assert_allclose(comparison.curve, errors[0])
    np.testing.assert_allclose(comparison.explained, [0, 0.5, 0.75, 0.75, 0.875])


def test_nothing_is_explained_of_rows_without_variance():
    errors = np.full((N_ROWS, 2), 1e-9)
    comparison = HoldoutComparison(errors, errors, errors, errors, np.zeros(N_ROWS))
    np.testing.assert_array_equal(comparison.explained, 0)


def test_joined_comparisons_are_that_of_all_rows():
    gains = np.random.default_rng(0).normal(0.1, 1, size=(N_ROWS, 2))
    whole = made_up(gains)
    parts = [
        HoldoutComparison(*[values[rows] for values in whole[:5]])
        for rows in (slice(30), slice(30, None))
    ]
    found = joined(parts)
    for values, expected in zip(found[:5], whole[:5], strict=True):
        np.testing.assert_array_equal(values, expected)
    assert found.clusters is None
    assert joined([whole]) is joined_folds([whole]) is whole


def test_joined_comparisons_keep_their_clusters():
    whole = made_up(np.ones((N_ROWS, 1)))
    parts = [whole._replace(clusters=np.full(N_ROWS, i)) for i in range(2)]
    np.testing.assert_array_equal(joined(parts).clusters, np.repeat([0, 1], N_ROWS))


def test_rows_of_a_cluster_are_no_more_evidence_than_one():
    rng = np.random.default_rng(0)
    by_cluster = rng.normal(0.3, 1, size=(20, 1))
    single = made_up(by_cluster)
    repeated = made_up(np.repeat(by_cluster, 50, axis=0))
    clusters = np.repeat(np.arange(20), 50)
    assert not single.is_accepted
    assert repeated.is_accepted
    assert not repeated._replace(clusters=clusters).is_accepted
    expected = by_cluster.mean() / (by_cluster.std(ddof=1) / np.sqrt(20))
    for comparison in (single, repeated._replace(clusters=clusters)):
        assert comparison.standard_errors == pytest.approx(expected)


def test_independent_rows_as_clusters_change_nothing():
    comparison = made_up(spread(0.1, 2.5))
    alone = comparison._replace(clusters=np.arange(N_ROWS))
    assert alone.standard_errors == pytest.approx(comparison.standard_errors)


@pytest.mark.parametrize(
    ("typical_gain", "worst_gain", "accepted"),
    [(0.5, 0.5, True), (0.5, -0.01, False), (0.0, 0.5, False)],
)
def test_few_rows_with_huge_errors_do_not_hide_a_gain_on_all_others(
    typical_gain, worst_gain, accepted
):
    """They must not be worse themselves, and do not suffice alone."""
    pca_errors = np.random.default_rng(0).uniform(0.5, 1.5, size=(N_ROWS, 1))
    pca_errors[:2, 0] = 1e4, 1e3
    gains = np.where(pca_errors > 2, worst_gain, typical_gain)
    errors = pca_errors * (1 - gains)
    comparison = HoldoutComparison(
        errors, pca_errors, errors, pca_errors, np.ones(N_ROWS)
    )
    assert abs(comparison.standard_errors) < 2
    assert comparison.is_accepted == accepted


def folds_of(means, noise=1.0):
    """Return the comparisons of folds whose networks gain so much in the mean."""
    rng = np.random.default_rng(0)
    return [made_up(rng.normal(mean, noise, size=(N_ROWS, 1))) for mean in means]


def test_folds_that_agree_are_judged_by_their_rows():
    folds = folds_of([0.5] * 5)
    assert joined_folds(folds).training_variance == 0
    assert joined_folds(folds).is_accepted


def test_folds_that_disagree_promise_nothing():
    """The next training may be one of those that gain nothing."""
    folds = folds_of([0.6, 0.6, 0.0, 0.0, 0.0], noise=0.1)
    assert joined(folds).is_accepted
    comparison = joined_folds(folds)
    assert comparison.training_variance == pytest.approx(1.2 * 0.108, rel=0.1)
    assert not comparison.is_accepted
    assert joined_folds(folds_of([0.6, 0.7, 0.5, 0.6, 0.8], noise=0.1)).is_accepted


def test_folds_of_single_clusters_are_judged_by_them():
    folds = [
        fold._replace(clusters=np.full(N_ROWS, i))
        for i, fold in enumerate(folds_of([0.5, 0.4, 0.6, 0.5, 0.5]))
    ]
    assert joined_folds(folds).training_variance == 0
    assert joined_folds(folds).is_accepted


@pytest.mark.parametrize(
    ("n_clusters", "standard_errors", "accepted"),
    [(1, 1e6, False), (2, 13, False), (2, 15, True), (5, 2.8, False), (5, 2.95, True)],
)
def test_few_clusters_must_agree_more(n_clusters, standard_errors, accepted):
    by_cluster = np.ones(n_clusters)
    if n_clusters > 1:
        deviations = np.linspace(-1, 1, n_clusters)
        error = deviations.std(ddof=1) / np.sqrt(n_clusters)
        by_cluster = 1 + deviations / (standard_errors * error)
    comparison = made_up(np.repeat(by_cluster, 100)[:, np.newaxis])
    clusters = np.repeat(np.arange(n_clusters), 100)
    assert comparison._replace(clusters=clusters).is_accepted == accepted


# --- Comparing a network with PCA ---


def pca_weights(task, n_components=2):
    """Return a network that equals PCA of all rows, and that PCA."""
    axes = task.axes(task.all_rows)
    return pca_start(task.plan.network, axes, seed=0), axes


def compare_all(task, weights, axes):
    return compare(task.plan, weights, axes, task.comparison_rows(task.all_rows))


def test_network_that_equals_pca_has_its_errors_and_losses():
    X = random_rows()
    task = make_task(X)
    comparison = compare_all(task, *pca_weights(task))
    np.testing.assert_allclose(comparison.errors, comparison.pca_errors, rtol=1e-4)
    np.testing.assert_allclose(comparison.losses, comparison.pca_losses, rtol=1e-4)
    assert not comparison.is_clearly_worse


def test_errors_are_in_units_of_the_data_and_losses_in_those_of_training():
    X = random_rows()
    task = make_task(X, loss="absolute_error")
    axes = task.axes(task.all_rows)
    weights = draw_weights(task.plan.network, seed=0)
    comparison = compare_all(task, weights, axes)
    reconstructed = task.plan.code_kind.reconstructions(
        task.plan.network, weights, task.Z
    )
    residual = reconstructed[0] - task.Z
    losses = np.abs(residual).mean(axis=1)
    errors = np.mean((residual * task.scale) ** 2, axis=1)
    np.testing.assert_allclose(comparison.losses[:, 0], losses, rtol=1e-5)
    np.testing.assert_allclose(comparison.errors[:, 0], errors, rtol=1e-5)
    distances = np.mean((X - X.mean(axis=0)) ** 2, axis=1)
    np.testing.assert_allclose(comparison.distances, distances, rtol=1e-4)


def test_nonlinear_outputs_are_compared_in_units_of_the_data():
    X = np.random.default_rng(0).uniform(size=(60, 6))
    network = make_network(activations=SIGMOID_OUTPUT)
    task = make_task(X, network=network)
    weights = draw_weights(network, seed=0)
    comparison = compare_all(task, weights, task.axes(task.all_rows))
    (outputs,) = task.plan.code_kind.reconstructions(network, weights, X)
    errors = np.mean((outputs - X) ** 2, axis=1)
    np.testing.assert_allclose(comparison.errors[:, 0], errors, rtol=1e-4)


def test_nested_codes_are_compared_at_every_cut():
    X = random_rows()
    network = make_network(n_components=4)
    task = make_task(X, network=network, code_kind=NestedCode())
    plain, axes = pca_weights(task, 4)
    comparison = compare_all(task, nested_weights(network, plain), axes)
    expected = [
        np.mean((axes.reconstruct(task.Z, k) - task.Z) ** 2) for k in range(1, 5)
    ]
    np.testing.assert_allclose(
        comparison.pca_curve / task.scale**2, expected, rtol=1e-4
    )
    np.testing.assert_allclose(comparison.curve, comparison.pca_curve, rtol=1e-4)


def test_errors_of_pca_alone_equal_those_of_a_comparison():
    task = make_task(random_rows())
    weights, axes = pca_weights(task)
    comparison = compare_all(task, weights, axes)
    rows = task.comparison_rows(task.all_rows)
    np.testing.assert_array_equal(
        pca_errors(task.plan, axes, rows), comparison.pca_errors
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_not_finite_raise_with_the_name_of_the_estimator(value):
    task = make_task(random_rows(), estimator="MyAE")
    weights, axes = pca_weights(task)
    weights.decoder[-1][0, 0] = value
    with pytest.raises(ValueError, match="training of MyAE diverged"):
        compare_all(task, weights, axes)


def test_few_rows_must_gain_three_standard_errors():
    def compared(n_rows, standard_errors):
        pattern = np.resize([1.0, -1.0], n_rows)
        error = pattern.std(ddof=1) / np.sqrt(n_rows)
        return made_up((1 + pattern / (standard_errors * error))[:, np.newaxis])

    assert not compared(80, 2.9).is_accepted
    assert compared(80, 3.2).is_accepted
    assert compared(100, 2.2).is_accepted


@pytest.mark.parametrize(
    "sizes", [[900, *[5] * 20], [500, *[50] * 10], [5, 300, 20, 7, 50, 1, 80]]
)
def test_unequal_clusters_accept_noise_seldom(sizes):
    """Without any true gain, 2.3 % of many rows would be accepted."""
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    accepted = 0
    for _ in range(200):
        gains = rng.normal(size=len(sizes))[clusters] + rng.normal(size=len(clusters))
        comparison = made_up(gains[:, np.newaxis])._replace(clusters=clusters)
        accepted += comparison.is_accepted
    assert accepted <= 10


def test_one_cluster_alone_is_not_clearly_worse():
    comparison = made_up(np.full((N_ROWS, 1), -0.1))
    assert comparison.is_clearly_worse
    assert not comparison._replace(clusters=np.zeros(N_ROWS, int)).is_clearly_worse
