"""The values drawn are those of the estimators."""

import copy

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from skae import (
    CodeActivityDisplay,
    CodesDisplay,
    ComponentsCurveDisplay,
    DenseAE,
    FeatureErrorsDisplay,
    LoadingsDisplay,
    ManifoldDisplay,
    OutlierScoresDisplay,
    ReconstructionDisplay,
    SamplesDisplay,
    SparseAE,
    TrainingHistoryDisplay,
    compare_with_pca,
)
from tests.displays.conftest import SMALL


def legend_texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


class TestTrainingHistoryDisplay:
    def test_losses_and_the_line_of_pca_are_in_the_same_units(self, dense, digits):
        display = TrainingHistoryDisplay.from_estimator(dense)
        history = dense.history_
        np.testing.assert_array_equal(display.line_.get_ydata(), history["loss"])
        np.testing.assert_array_equal(
            display.val_line_.get_ydata(), history["val_loss"]
        )
        np.testing.assert_array_equal(display.line_.get_xdata(), [1, 2, 3])
        # Shares of the variance of the training rows, about 9 of 10 of all rows.
        unit = digits.var(axis=0).mean()
        expected = dense.pca_reconstruction_error_ / unit
        assert display.pca_line_.get_ydata()[0] == pytest.approx(expected, rel=0.02)
        point = display.ax_.lines[-1]
        assert point.get_xdata() == [3]
        assert point.get_ydata()[0] == pytest.approx(
            dense.reconstruction_error_ / unit, rel=0.02
        )
        # Of a network that has learnt, all that is drawn is below the line.
        assert history["val_loss"][-1] < display.pca_line_.get_ydata()[0]

    def test_loss_with_other_terms_has_no_line(self, sparse, vae, ordered):
        for model in (sparse, vae, ordered):
            display = TrainingHistoryDisplay.from_estimator(model)
            assert display.pca_line_ is None
            assert display.ax_.get_ylabel() == "loss"

    def test_network_that_was_not_kept_is_told(self, fallback):
        display = TrainingHistoryDisplay.from_estimator(fallback)
        assert "DenseAE is PCA" in display.ax_.get_title()
        assert display.pca_line_ is not None
        assert len(display.ax_.lines) == 3  # and no point of a fit

    def test_errors_of_a_block_are_of_training_rows(self, dense, digits):
        texts = legend_texts(TrainingHistoryDisplay.from_estimator(dense).ax_)
        assert texts[2:] == ["PCA, all held-out rows", "the fit, all held-out rows"]
        model = copy.deepcopy(dense).partial_fit(digits[:200])
        texts = legend_texts(TrainingHistoryDisplay.from_estimator(model).ax_)
        assert texts[2:] == ["PCA, all training rows", "the fit, all training rows"]

    def test_without_a_training_says_what_to_do(self, noise):
        model = DenseAE(2).fit(noise[:20])
        with pytest.raises(ValueError, match="early_stopping=False"):
            TrainingHistoryDisplay.from_estimator(model)

    def test_pca_has_no_history(self, pca):
        with pytest.raises(TypeError, match="got PCA"):
            TrainingHistoryDisplay.from_estimator(pca)

    def test_wide_range_is_drawn_on_a_logarithmic_axis(self):
        assert TrainingHistoryDisplay(loss=[1, 0.01]).plot().ax_.get_yscale() == "log"
        assert TrainingHistoryDisplay(loss=[1, -0.01]).plot().ax_.get_yscale() != "log"
        plain = TrainingHistoryDisplay(loss=[1, 0.01]).plot(log_scale=False)
        assert plain.ax_.get_yscale() == "linear"


class TestCodesDisplay:
    def test_points_are_codes_by_class(self, dense, digits, digit_labels):
        display = CodesDisplay.from_estimator(dense, digits, digit_labels)
        codes = dense.transform(digits)
        for digit, points in enumerate(display.ax_.collections):
            expected = codes[digit_labels == digit, :2]
            np.testing.assert_allclose(points.get_offsets(), expected)
        assert legend_texts(display.ax_) == [str(digit) for digit in range(10)]
        # Classes differ without colours, too.
        shapes = {
            points.get_paths()[0].vertices.tobytes()
            for points in display.ax_.collections
        }
        assert len(shapes) >= 8

    def test_values_have_a_colour_bar_and_unknown_ones_are_grey(self, dense, digits):
        values = digits[:, 20].copy()
        values[:7] = np.nan
        display = CodesDisplay.from_estimator(
            dense, digits, values, target_name="ink", s=4
        )
        unknown, known = display.ax_.collections
        assert len(unknown.get_offsets()) == 7
        np.testing.assert_array_equal(known.get_array(), values[7:])
        assert display.figure_.axes[1].get_ylabel() == "ink"
        assert display.ax_.get_legend() is None

    def test_pairs_of_more_codes(self, dense, digits):
        display = CodesDisplay.from_estimator(dense, digits, components=(0, 2, 1))
        assert display.axes_.shape == (2, 2)
        assert not display.axes_[0, 1].axison
        codes = dense.transform(digits)
        points = display.axes_[1, 0].collections[0].get_offsets()
        np.testing.assert_allclose(points, codes[:, [0, 1]])
        assert display.axes_[1, 0].get_ylabel() == "code 2"
        assert display.axes_[0, 0].get_ylabel() == "code 3"

    @pytest.mark.parametrize("target", [None, "class", "value"])
    def test_one_code(self, dense, digits, digit_labels, target):
        y = {"class": digit_labels % 3, "value": digits[:, 20]}.get(target)
        display = CodesDisplay.from_estimator(dense, digits, y, components=[1])
        assert display.ax_.get_xlabel() == "code 2"
        assert bool(display.ax_.collections) == (target == "value")

    def test_many_rows_are_pixels_and_many_classes_are_told(self):
        rng = np.random.default_rng(0)
        classes = np.array([f"a class with a long name {i}" for i in range(60)])
        codes, target = rng.normal(size=(3000, 2)), classes[rng.integers(60, size=3000)]
        display = CodesDisplay(codes=codes, target=target).plot()
        assert display.ax_.collections[0].get_rasterized()
        assert display.legend_ is None
        assert "60 classes" in display.ax_.get_title()

    @pytest.mark.parametrize("components", [(3,), (-1,), ()])
    def test_codes_that_there_are_not(self, dense, digits, components):
        with pytest.raises(ValueError, match="indices from 0 to 2"):
            CodesDisplay.from_estimator(dense, digits, components=components)

    def test_more_codes_than_can_be_seen(self):
        with pytest.raises(ValueError, match="at most 8"):
            CodesDisplay(codes=np.zeros((5, 9))).plot()

    def test_targets_of_another_length(self, dense, digits):
        with pytest.raises(ValueError, match="inconsistent"):
            CodesDisplay.from_estimator(dense, digits, [0, 1])
        with pytest.raises(ValueError, match="each of the 4 rows"):
            CodesDisplay(codes=np.zeros((4, 2)), target=[0, 1]).plot()


class TestReconstructionDisplay:
    def test_images_are_rows_and_reconstructions(self, conv, digits):
        display = ReconstructionDisplay.from_estimator(conv, digits, n_rows=2)
        original, again, difference = (
            image.get_array() for image in display.ax_.images
        )
        # Tiles of 8 by 8 pixels, with one pixel between them.
        np.testing.assert_allclose(original[:8, 9:17], digits[1].reshape(8, 8))
        expected = conv.reconstruct(digits[:2])
        np.testing.assert_allclose(again[:8, :8], expected[0].reshape(8, 8))
        np.testing.assert_allclose(
            difference[:8, :8], (digits[0] - expected[0]).reshape(8, 8)
        )
        limits = [image.get_clim() for image in display.ax_.images]
        assert limits[0] == limits[1]
        assert limits[2][0] == -limits[2][1]

    def test_pipeline_is_drawn_in_the_units_of_its_rows(self, pipeline, wine):
        display = ReconstructionDisplay.from_estimator(pipeline, wine.data, n_rows=3)
        np.testing.assert_array_equal(display.X, wine.data[:3])
        codes = pipeline[:2].transform(wine.data[:3])
        expected = pipeline[:2].inverse_transform(codes)
        np.testing.assert_allclose(display.X_reconstructed, expected)
        assert display.axes_.shape == (2, 3)
        bars = [bar.get_height() for bar in display.axes_[1, 2].patches]
        np.testing.assert_allclose(bars, wine.data.to_numpy()[2] - expected[2])
        names = [text.get_text() for text in display.axes_[1, 0].get_xticklabels()]
        assert names[0] == "alcohol"

    def test_step_that_cannot_invert_leaves_the_units_of_the_autoencoder(self, digits):
        class OneWay(StandardScaler):
            inverse_transform = property()

        model = make_pipeline(OneWay(), DenseAE(2, **SMALL)).fit(digits)
        display = ReconstructionDisplay.from_estimator(model, digits, n_rows=2)
        np.testing.assert_allclose(display.X, model[0].transform(digits[:2]))

    def test_colours_and_signals(self):
        rows = np.random.default_rng(0).uniform(size=(2, 48))
        display = ReconstructionDisplay(
            X=rows, X_reconstructed=rows / 2, image_shape=(4, 4, 3)
        ).plot()
        assert display.ax_.images[0].get_array().shape[2] == 3
        np.testing.assert_allclose(
            display.ax_.images[2].get_array()[:4, :4],
            rows[0].reshape(4, 4, 3).mean(axis=2) / 2,
        )
        display = ReconstructionDisplay(
            X=rows, X_reconstructed=rows / 2, image_shape=(48,)
        ).plot()
        np.testing.assert_array_equal(
            display.axes_[0, 1].lines[1].get_ydata(), rows[1] / 2
        )

    def test_shape_that_does_not_fit(self, dense, digits):
        with pytest.raises(ValueError, match="does not fit rows of 64 features"):
            ReconstructionDisplay.from_estimator(dense, digits, image_shape=(8, 9))

    @pytest.mark.parametrize(("X", "n_rows"), [(None, 5), ([[0.0] * 64], 0)])
    def test_nothing_to_draw(self, dense, X, n_rows):
        with pytest.raises(ValueError, match="ReconstructionDisplay expects"):
            ReconstructionDisplay.from_estimator(dense, X, n_rows=n_rows)


class TestComponentsCurveDisplay:
    def test_curves_of_an_ordered_fit(self, ordered):
        display = ComponentsCurveDisplay.from_estimator(ordered)
        np.testing.assert_array_equal(display.line_.get_xdata(), [1, 2, 3, 4])
        np.testing.assert_array_equal(
            display.line_.get_ydata(), ordered.reconstruction_curve_
        )
        np.testing.assert_array_equal(
            display.pca_line_.get_ydata(), ordered.pca_reconstruction_curve_
        )
        assert display.chosen_line_ is None

    def test_number_chosen_by_a_share_of_the_variance(self, digits):
        model = DenseAE(0.3, **SMALL).fit(digits)
        display = ComponentsCurveDisplay.from_estimator(model)
        assert display.chosen_line_.get_xdata()[0] == model.n_components_

    def test_comparison(self, digits, digit_labels):
        comparison = compare_with_pca(
            digits,
            n_components=(4, 1),
            autoencoder=DenseAE(**SMALL),
            cv=2,
        )
        display = comparison.plot()
        np.testing.assert_allclose(
            display.line_.get_ydata(), comparison.autoencoder_errors.mean(axis=1)[::-1]
        )
        np.testing.assert_allclose(
            display.pca_line_.get_ydata(), comparison.pca_errors.mean(axis=1)[::-1]
        )
        explained = comparison.plot(value="explained", ax=plt.figure().subplots())
        np.testing.assert_allclose(
            explained.line_.get_ydata()[0], comparison.autoencoder_explained[1].mean()
        )
        with pytest.raises(ValueError, match="no scores"):
            comparison.plot(value="score")
        with pytest.raises(ValueError, match="value must be one of"):
            comparison.plot(value="speed")

    def test_pca_in_the_place_of_the_network_is_told(self, noise):
        comparison = compare_with_pca(
            noise, n_components=(1, 2), autoencoder=DenseAE(**SMALL), cv=2
        )
        assert not comparison.used_network.any()
        assert "is PCA" in legend_texts(comparison.plot().ax_)

    def test_one_number_of_codes_is_no_curve(self, dense):
        with pytest.raises(ValueError, match="ordered=True"):
            ComponentsCurveDisplay.from_estimator(dense)


class TestOutlierScoresDisplay:
    def test_threshold_and_errors(self, detector, digits):
        X = digits[900:]
        display = OutlierScoresDisplay.from_estimator(detector, X)
        assert display.threshold_line_.get_xdata()[0] == -detector.offset_
        np.testing.assert_array_equal(display.scores, detector.score_samples(X))
        n_flagged = (detector.predict(X) == -1).sum()
        assert f"{n_flagged} of" in legend_texts(display.ax_)[0]

    def test_labels_divide_the_rows(self, detector, digits):
        y = np.where(np.arange(len(digits)) % 9, 1, -1)
        display = OutlierScoresDisplay.from_estimator(detector, digits, y)
        assert legend_texts(display.ax_)[:2] == ["normal", "outlier"]
        with pytest.raises(ValueError, match="inconsistent"):
            OutlierScoresDisplay.from_estimator(detector, digits, y[1:])

    def test_pipeline(self, digits, detector):
        model = make_pipeline(MinMaxScaler(), detector).fit(digits[:900])
        display = OutlierScoresDisplay.from_estimator(model, digits)
        np.testing.assert_array_equal(display.scores, model.score_samples(digits))
        assert display.threshold == model[-1].offset_

    def test_estimator_without_scores(self, wine):
        with pytest.raises(TypeError, match="score_samples"):
            OutlierScoresDisplay.from_estimator(
                StandardScaler().fit(wine.data), wine.data
            )


class TestFeatureErrorsDisplay:
    @pytest.mark.parametrize("units", ["data", "held_out"])
    def test_bars_are_the_largest_errors(self, detector, digits, units):
        display = FeatureErrorsDisplay.from_estimator(detector, digits[:1], units=units)
        errors = detector.feature_errors(digits[:1], units=units)[0]
        np.testing.assert_array_equal(display.errors, errors)
        bars = [bar.get_width() for bar in display.ax_.patches]
        largest = errors[np.argsort(-np.abs(errors))[: len(bars)]]
        np.testing.assert_array_equal(bars, largest)
        name = display.ax_.get_yticklabels()[0].get_text()
        assert name == f"feature {np.abs(errors).argmax()}"
        assert f"{len(bars)} largest of 64" in display.ax_.get_title()

    def test_names_behind_a_scaler(self, pipeline, wine):
        display = FeatureErrorsDisplay.from_estimator(pipeline[:2], wine.data[:1])
        assert "proline" in [text.get_text() for text in display.ax_.get_yticklabels()]

    def test_several_rows(self, detector, digits):
        with pytest.raises(ValueError, match="draws one row"):
            FeatureErrorsDisplay.from_estimator(detector, digits)

    def test_units_of_a_detector_only(self, dense, digits):
        with pytest.raises(ValueError, match="needs a ReconstructionOutlierDetector"):
            FeatureErrorsDisplay.from_estimator(dense, digits[:1], units="held_out")


class TestManifoldDisplay:
    def test_tiles_are_decoded_codes(self, vae):
        display = ManifoldDisplay.from_estimator(vae, n_grid=4)
        # The largest second code is at the top, the largest first one to the right.
        corner = [[display.x_codes[-1], display.y_codes[0]]]
        assert min(corner[0]) == pytest.approx(2.05, abs=0.01)  # 98 % of the prior
        np.testing.assert_allclose(display.X[3], vae.inverse_transform(corner)[0])

    def test_other_estimators_need_rows(self, dense, digits):
        with pytest.raises(ValueError, match="needs X for a DenseAE"):
            ManifoldDisplay.from_estimator(dense)
        display = ManifoldDisplay.from_estimator(
            dense, digits, components=(2, 0), n_grid=3, image_shape=(8, 8)
        )
        codes = dense.transform(digits)
        middle = np.median(codes, axis=0)
        np.testing.assert_allclose(display.X[4], dense.inverse_transform([middle])[0])
        assert display.ax_.get_xlabel() == "code 3"

    def test_one_code_is_a_strip(self, dense, digits):
        display = ManifoldDisplay.from_estimator(dense, digits, components=[1])
        assert display.y_codes is None
        assert display.X.shape == (12, 64)

    @pytest.mark.parametrize("components", [(0, 0), (2,), (0, 1, 1)])
    def test_codes_that_there_are_not(self, vae, components):
        with pytest.raises(ValueError, match="one or two indices"):
            ManifoldDisplay.from_estimator(vae, components=components)


class TestSamplesDisplay:
    def test_samples_of_a_pipeline_are_in_the_units_of_its_rows(self, vae, digits):
        model = make_pipeline(StandardScaler(), vae)
        model[0].fit(digits * 3 + 5)
        display = SamplesDisplay.from_estimator(model, n_samples=4, random_state=0)
        expected = model[0].inverse_transform(vae.sample(4, random_state=0))
        np.testing.assert_allclose(display.X, expected)

    def test_only_of_codes_with_a_distribution(self, dense):
        with pytest.raises(TypeError, match="expects a VAETransformer"):
            SamplesDisplay.from_estimator(dense)


class TestCodeActivityDisplay:
    @pytest.mark.parametrize(
        ("fixture", "attribute"),
        [
            ("vae", "kl_divergence_"),
            ("sparse", "active_share_"),
            ("ordered", "held_out_variance_ratio_"),
            ("fallback", "explained_variance_ratio_"),
            ("pca", "explained_variance_ratio_"),
        ],
    )
    def test_bars_are_the_attribute(self, fixture, attribute, request):
        model = request.getfixturevalue(fixture)
        display = CodeActivityDisplay.from_estimator(model)
        heights = [bar.get_height() for bar in display.bars_]
        np.testing.assert_allclose(heights, getattr(model, attribute))

    def test_rows_of_the_shares_are_named(self, ordered, digits):
        block = copy.deepcopy(ordered).partial_fit(digits[:200])
        for model, rows in ((ordered, "held-out"), (block, "training")):
            label = CodeActivityDisplay.from_estimator(model).ax_.get_ylabel()
            assert label.endswith(f"({rows} rows)")
            curve = ComponentsCurveDisplay.from_estimator(model)
            assert curve.ax_.get_ylabel().endswith(f"({rows} rows)")

    def test_largest_first(self):
        display = CodeActivityDisplay(values=[1.0, 3.0, 2.0]).plot(sort=True)
        assert [bar.get_height() for bar in display.bars_] == [3, 2, 1]

    def test_codes_that_are_not_in_use_are_open(self):
        display = CodeActivityDisplay(values=[1.0, 0.0], is_active=[True, False]).plot()
        assert legend_texts(display.ax_) == ["not in use: 1 of 2"]

    def test_codes_that_do_not_add_up(self, dense):
        with pytest.raises(ValueError, match="ordered=True"):
            CodeActivityDisplay.from_estimator(dense)


class TestLoadingsDisplay:
    @pytest.mark.parametrize("absolute", [False, True])
    def test_heat_map(self, dense, digits, absolute):
        display = LoadingsDisplay.from_estimator(dense, digits[:50], absolute=absolute)
        expected = dense.loadings(digits[:50], absolute=absolute)
        np.testing.assert_allclose(display.image_.get_array(), expected.T)
        low, high = display.image_.get_clim()
        assert low == (0 if absolute else -high)

    def test_images(self, conv, digits):
        display = LoadingsDisplay.from_estimator(conv, digits[:50])
        expected = conv.loadings(digits[:50])
        tiles = display.image_.get_array()
        np.testing.assert_allclose(tiles[:8, 9:17], expected[1].reshape(8, 8))

    def test_components_of_pca(self, pca):
        display = LoadingsDisplay.from_estimator(pca)
        np.testing.assert_array_equal(display.loadings, pca.components_)
        with pytest.raises(ValueError, match="no other loadings"):
            LoadingsDisplay.from_estimator(pca, part="decoder")

    def test_network_needs_rows(self, dense):
        with pytest.raises(ValueError, match="needs X"):
            LoadingsDisplay.from_estimator(dense)

    def test_estimator_without_loadings(self, wine):
        with pytest.raises(TypeError, match="neither"):
            LoadingsDisplay.from_estimator(StandardScaler().fit(wine.data), wine.data)


def test_sparse_rows_are_drawn(digits):
    from scipy.sparse import csr_array

    X = csr_array(np.clip(digits, 0, None))
    model = SparseAE(6, **SMALL).fit(X)
    display = ReconstructionDisplay.from_estimator(model, X, image_shape=(8, 8))
    np.testing.assert_array_equal(display.X, X[:5].toarray())
    CodesDisplay.from_estimator(model, X)
    FeatureErrorsDisplay.from_estimator(model, X[:1])


@pytest.fixture(scope="module")
def logarithms(wine):
    """PCA of logarithms, by a step without inverse and without names of features."""
    return make_pipeline(FunctionTransformer(np.log1p), PCA(2)).fit(wine.data)


def test_step_without_inverse_function_leaves_its_own_units(logarithms, wine):
    display = ReconstructionDisplay.from_estimator(logarithms, wine.data)
    np.testing.assert_array_equal(display.X, np.log1p(wine.data[:5]))
    assert np.abs(display.X - display.X_reconstructed).max() < 1.5
    errors = FeatureErrorsDisplay.from_estimator(logarithms, wine.data[:1]).errors
    np.testing.assert_allclose(errors, (display.X - display.X_reconstructed)[0])


def test_inverse_function_within_pipelines_is_used(wine):
    log = FunctionTransformer(np.log1p, np.expm1)
    steps = make_pipeline(FunctionTransformer(), log, "passthrough"), PCA(2)
    model = make_pipeline(*steps).fit(wine.data)
    display = ReconstructionDisplay.from_estimator(model, wine.data)
    np.testing.assert_array_equal(display.X, wine.data[:5])


def test_step_that_gives_no_names_leaves_features_without(logarithms, wine):
    assert logarithms[-1].feature_names_in_[0] == "alcohol"
    rows = wine.data.to_numpy()
    steps = FunctionTransformer(np.log1p), StandardScaler(), PCA(2)
    model = make_pipeline(*steps).fit(rows)
    assert LoadingsDisplay.from_estimator(model).feature_names is None
    assert ReconstructionDisplay.from_estimator(model, rows).feature_names is None


def test_row_may_be_a_list(pca, detector, digits):
    for model in (pca, detector):
        errors = [
            FeatureErrorsDisplay.from_estimator(model, row).errors
            for row in (digits[:1], digits[:1].tolist())
        ]
        np.testing.assert_allclose(errors[0], errors[1])


def test_labels_may_be_floats(detector, digits):
    y = np.where(np.arange(100) < 10, -1.0, 1.0)
    display = OutlierScoresDisplay.from_estimator(detector, digits[:100], y)
    texts = legend_texts(display.ax_)
    assert {"normal", "outlier"} < set(texts)
    assert texts.index("normal") < texts.index("outlier")
    assert OutlierScoresDisplay(scores=[1, 2], labels=[0.5, np.nan]).plot()


def test_curve_of_a_search_over_shares_is_refused(digits):
    grid = {"n_components": [0.5, 0.9]}
    search = GridSearchCV(PCA(svd_solver="full"), grid, cv=2).fit(digits)
    with pytest.raises(ValueError, match=r"whole numbers .* got \[0\.5, 0\.9\]"):
        ComponentsCurveDisplay.from_estimator(search)


def test_truncated_codes_have_the_losses_of_the_ordered_ones(ordered):
    display = TrainingHistoryDisplay.from_estimator(ordered.truncate(2))
    assert display.pca_line_ is display.error is None
    assert display.ax_.get_ylabel() == "loss"
