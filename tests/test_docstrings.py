"""Public docstrings are complete, and state the defaults of the code."""

import inspect
import re
from dataclasses import is_dataclass

import pytest
from numpydoc.validate import validate

import skae
from tests.estimators import NAMES

# Checks of numpydoc that go beyond the conventions of scikit-learn.
IGNORED = {
    "ES01",  # a summary may suffice
    "EX01",  # the examples are in the class docstring
    "GL01",  # the summary starts on the line of the quotes
    "RT02",  # returned values have names, as in scikit-learn
    "SA01",  # the See Also section is in the class docstring
    "GL08",  # inherited methods are documented by scikit-learn
}
PUBLIC = [
    name
    for cls in skae.__all__
    for name in [
        f"skae.{cls}",
        *(
            f"skae.{cls}.{method}"
            for method, value in inspect.getmembers(getattr(skae, cls), callable)
            if not method.startswith("_") and value.__module__.startswith("skae")
        ),
    ]
]


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring_is_valid(name):
    ignored = set(IGNORED)
    if is_dataclass(getattr(skae, name.split(".")[1])):
        ignored.add("PR01")  # its fields are documented as attributes
    errors = [error for error in validate(name)["errors"] if error[0] not in ignored]
    assert not errors


@pytest.mark.parametrize(
    "name", [*NAMES, "MixedTableEncoder", "ReconstructionOutlierDetector"]
)
def test_documented_defaults_equal_the_signature(name):
    cls = getattr(skae, name)
    documented = dict(
        re.findall(
            r"^(\w+) :[^\n]*(?:\n {8}[^\n]*)?default=([^\n]+)$",
            inspect.getdoc(cls),
            re.MULTILINE,
        )
    )
    actual = {
        parameter.name: parameter.default
        for parameter in inspect.signature(cls).parameters.values()
    }
    assert {key: text.strip('"') for key, text in documented.items()} == {
        key: str(value) if value != 1e-4 else "1e-4" for key, value in actual.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_fitted_attribute_is_documented(digits, digit_labels, name):
    model = getattr(skae, name)(2, max_iter=1, random_state=0)
    fits = [
        vars(model.fit(digits[:n], digit_labels[:n])).copy() for n in (40, len(digits))
    ]
    if "ordered" in model.get_params():
        fits.append(vars(model.set_params(ordered=True).fit(digits)))
    fitted = {key for state in fits for key in state if key.endswith("_")}
    documented = set(re.findall(r"^(\w+_) : ", inspect.getdoc(model), re.MULTILINE))
    assert fitted | {"feature_names_in_"} == documented


@pytest.mark.parametrize(
    "name", ["alpha", "max_iter", "tol", "random_state", "verbose"]
)
def test_shared_parameter_has_the_same_description_everywhere(name):
    described = set()
    for cls in NAMES:
        text = inspect.getdoc(getattr(skae, cls))
        described.update(
            re.findall(rf"^{name} : .*\n(?:    .*\n)+", text, re.MULTILINE)
        )
    assert len(described) == 1
