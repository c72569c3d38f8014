"""What holds for all displays: the convention, small axes, errors."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

import skae
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
    ReconstructionOutlierDetector,
    SamplesDisplay,
    TrainingHistoryDisplay,
    VAETransformer,
)
from tests.processes import run

# Each display, as it is made in a test, and the fixture of its estimator.
CASES = {
    "history": (TrainingHistoryDisplay, "dense", lambda X, y: ()),
    "history of PCA": (TrainingHistoryDisplay, "fallback", lambda X, y: ()),
    "history of a VAE": (TrainingHistoryDisplay, "vae", lambda X, y: ()),
    "codes": (CodesDisplay, "vae", lambda X, y: (X,)),
    "codes by class": (CodesDisplay, "dense", lambda X, y: (X, y)),
    "codes by value": (CodesDisplay, "pca", lambda X, y: (X, X[:, 20])),
    "images": (ReconstructionDisplay, "conv", lambda X, y: (X,)),
    "features": (ReconstructionDisplay, "dense", lambda X, y: (X,)),
    "curve": (ComponentsCurveDisplay, "ordered", lambda X, y: ()),
    "outliers": (OutlierScoresDisplay, "detector", lambda X, y: (X,)),
    "scores of an autoencoder": (OutlierScoresDisplay, "dense", lambda X, y: (X, y)),
    "errors by feature": (FeatureErrorsDisplay, "detector", lambda X, y: (X[:1],)),
    "errors in an image": (FeatureErrorsDisplay, "conv", lambda X, y: (X[:1],)),
    "manifold": (ManifoldDisplay, "vae", lambda X, y: ()),
    "manifold of PCA": (ManifoldDisplay, "pca", lambda X, y: (X,)),
    "samples": (SamplesDisplay, "vae", lambda X, y: ()),
    "divergence": (CodeActivityDisplay, "vae", lambda X, y: ()),
    "activity": (CodeActivityDisplay, "sparse", lambda X, y: ()),
    "variance by code": (CodeActivityDisplay, "ordered", lambda X, y: ()),
    "variance of PCA": (CodeActivityDisplay, "fallback", lambda X, y: ()),
    "loadings": (LoadingsDisplay, "dense", lambda X, y: (X[:50],)),
    "components of PCA": (LoadingsDisplay, "pca", lambda X, y: ()),
    "loadings as images": (LoadingsDisplay, "conv", lambda X, y: (X[:50],)),
}
DISPLAYS = [name for name in skae.__all__ if name.endswith("Display")]


@pytest.fixture(params=CASES)
def made(request, digits, digit_labels):
    """Return a function that makes a display on given axes."""
    display, fixture, arguments = CASES[request.param]
    estimator = request.getfixturevalue(fixture)
    arguments = arguments(digits, digit_labels)
    return lambda ax=None, **kwargs: display.from_estimator(
        estimator, *arguments, ax=ax, **kwargs
    )


def test_every_display_is_tested():
    assert {display.__name__ for display, _, _ in CASES.values()} == set(DISPLAYS)


def test_draws_a_new_figure(made):
    display = made()
    assert display.figure_ is display.ax_.figure
    assert plt.get_fignums() == [display.figure_.number]
    display.figure_.canvas.draw()


def test_draws_on_small_axes_and_again_from_its_arrays(made):
    figure, ax = plt.subplots(figsize=(3, 2), layout="constrained")
    display = made(ax)
    assert display.figure_ is figure
    figure.canvas.draw()  # warns where labels leave no room for the axes
    attributes = {k: v for k, v in vars(display).items() if not k.endswith("_")}
    again = type(display)(**attributes)
    assert not [name for name in vars(again) if name.endswith("_")]
    assert again.plot() is again
    assert again.figure_ is not figure


def test_name_in_the_picture(made):
    display = made(name="my model")
    texts = [text.get_text() for text in display.figure_.findobj(plt.Text)]
    assert any("my model" in text for text in texts)


@pytest.mark.parametrize("name", DISPLAYS)
def test_unfitted_estimator_is_refused(name):
    display = getattr(skae, name)
    estimator = (
        ReconstructionOutlierDetector()
        if "Error" in name or "Outlier" in name
        else VAETransformer()
    )
    takes_rows = name not in (
        "TrainingHistoryDisplay",
        "ComponentsCurveDisplay",
        "SamplesDisplay",
        "CodeActivityDisplay",
    )
    arguments = (np.zeros((1, 4)),) if takes_rows else ()
    with pytest.raises(NotFittedError):
        display.from_estimator(estimator, *arguments)
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    "case",
    [
        "codes",
        "features",
        "outliers",
        "errors by feature",
        "manifold of PCA",
        "loadings",
    ],
)
def test_rows_of_the_wrong_width_are_refused(case, digits, digit_labels, request):
    display, fixture, arguments = CASES[case]
    X, *rest = arguments(digits, digit_labels)
    estimator = request.getfixturevalue(fixture)
    with pytest.raises(ValueError, match="features"):
        display.from_estimator(estimator, X[:, :5], *rest)
    assert not plt.get_fignums()


@pytest.mark.parametrize("display", [CodesDisplay, ReconstructionDisplay])
def test_estimator_without_codes_is_refused(display, wine):
    classifier = LogisticRegression(max_iter=5000).fit(wine.data, wine.target)
    with pytest.raises(TypeError, match="expects a fitted transformer"):
        display.from_estimator(classifier, wine.data)


@pytest.mark.parametrize("case", ["codes by class", "features"])
def test_grid_needs_axes_that_can_be_divided(case, digits, digit_labels, request):
    display, fixture, arguments = CASES[case]
    estimator = request.getfixturevalue(fixture)
    ax = plt.figure().add_axes((0, 0, 1, 1))
    more = {"components": (0, 1, 2)} if display is CodesDisplay else {}
    with pytest.raises(ValueError, match=r"plt\.subplots"):
        display.from_estimator(
            estimator, *arguments(digits, digit_labels), ax=ax, **more
        )


def test_import_needs_no_matplotlib_and_drawing_says_what_to_install():
    run(
        "import sys\n"
        "sys.modules['matplotlib'] = sys.modules['matplotlib.pyplot'] = None\n"
        "import skae\n"
        "assert 'skae._displays' not in sys.modules\n"
        "display = skae.CodeActivityDisplay(values=[1.0, 2.0])\n"
        "try:\n"
        "    display.plot()\n"
        "except ImportError as error:\n"
        "    assert \"pip install 'skae[plot]'\" in str(error), error\n"
        "    assert 'CodeActivityDisplay' in str(error), error\n"
        "else:\n"
        "    raise AssertionError\n"
    )


def test_displays_are_imported_without_pyplot():
    run(
        "import sys, skae\n"
        "for name in skae.__all__: getattr(skae, name)\n"
        "assert 'matplotlib' not in sys.modules\n"
    )


def test_names_do_not_collide_with_those_of_scikit_learn():
    from sklearn.utils import discovery

    names = {name for name, _ in discovery.all_displays()}
    assert not names & set(DISPLAYS)


def test_a_pipeline_draws_its_autoencoder(pipeline, wine):
    codes = CodesDisplay.from_estimator(pipeline, wine.data, wine.target)
    np.testing.assert_allclose(codes.codes, pipeline[:2].transform(wine.data))
    assert codes.target_name == "target"
    history = TrainingHistoryDisplay.from_estimator(pipeline)
    np.testing.assert_array_equal(history.loss, pipeline[1].history_["loss"])
    loadings = LoadingsDisplay.from_estimator(pipeline, wine.data)
    expected = pipeline[1].loadings(pipeline[0].transform(wine.data))
    np.testing.assert_allclose(loadings.loadings, expected)
    assert list(loadings.feature_names) == list(wine.data.columns)


def test_a_search_draws_its_best_estimator(digits, digit_labels):
    from skae import TruncationSearchCV

    model = DenseAE(hidden_layer_sizes=(8,), max_iter=2, random_state=0)
    search = TruncationSearchCV(
        model, [1, 3], cv=2, scoring=lambda model, X, y: model.score(X)
    )
    search.fit(digits, digit_labels)
    display = CodesDisplay.from_estimator(search, digits)
    np.testing.assert_allclose(
        display.codes, search.best_estimator_.transform(digits)[:, :2]
    )
    curve = ComponentsCurveDisplay.from_estimator(search)
    np.testing.assert_allclose(
        curve.values.mean(axis=1), search.cv_results_["mean_test_score"]
    )
    assert curve.chosen == search.best_params_["n_components"]
    with pytest.raises(NotFittedError):
        CodesDisplay.from_estimator(clone(search), digits)
