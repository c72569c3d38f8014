"""The estimator that CONTRIBUTING.md walks through, as a contributor would write it."""

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

GUIDE = Path(__file__).parents[1] / "CONTRIBUTING.md"
NETWORK = {"hidden_layer_sizes": (8,), "max_iter": 20}


def code_of_the_guide():
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return code


def as_module(name, code):
    """Return the module of some code, which pickles can refer to by its name."""
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(name, loader=None)
    )
    sys.modules[name] = module
    exec(compile(code, str(GUIDE), "exec"), module.__dict__)
    return module


DecorrelatedAE = as_module("contributed_estimator", code_of_the_guide()).DecorrelatedAE


# Its network is always kept, and may be worse than PCA on the few rows of a test.
pytestmark = pytest.mark.filterwarnings("ignore:.* keeps its network:UserWarning")


def test_it_takes_less_than_sixty_lines():
    assert len([line for line in code_of_the_guide().splitlines() if line]) < 60


@parametrize_with_checks([DecorrelatedAE(**NETWORK)])
def test_sklearn_checks(estimator, check):
    check(estimator)


def test_it_does_what_it_is_for(digits):
    def largest_covariance(decorrelation):
        model = DecorrelatedAE(
            6, decorrelation=decorrelation, random_state=0, **NETWORK
        ).fit(digits)
        assert model.score(digits) > 0.2
        covariances = np.cov(model.transform(digits), rowvar=False)
        return np.abs(covariances - np.diag(np.diag(covariances))).max()

    assert largest_covariance(1000.0) < 0.3 * largest_covariance(0.0)


def test_its_parameters_are_checked(digits):
    with pytest.raises(ValueError, match="'decorrelation' parameter of DecorrelatedAE"):
        DecorrelatedAE(decorrelation=-1.0).fit(digits)
