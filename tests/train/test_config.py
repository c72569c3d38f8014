"""The values that a training is called with."""

from dataclasses import dataclass, replace

import pytest

from skae._train.corruption import Gaussian
from skae._train.objectives import Reconstruction
from tests.trainings import KEY, split_rows


def test_rows_are_compared_on_the_held_out_ones_if_there_are_any():
    assert split_rows(5, n_held_out=2).compared.tolist() == [3, 4]
    assert split_rows(5).compared.tolist() == [0, 1, 2, 3, 4]


def test_keys_of_equal_values_are_equal():
    """Compiled programs are looked up by them."""
    again = replace(KEY, objective=Reconstruction("squared_error"))
    assert again == KEY
    assert hash(again) == hash(KEY)
    for change in (
        {"objective": Reconstruction("huber")},
        {"corruption": Gaussian()},
        {"batch_size": 17},
        {"smoothing": True},
    ):
        assert replace(KEY, **change) != KEY


class Undecorated(Reconstruction):
    """An objective without equality of its own."""


@dataclass(frozen=True)
class Decorated(Reconstruction):
    """An objective with it."""


def test_objectives_must_be_dataclasses_themselves():
    assert replace(KEY, objective=Decorated("squared_error")) != KEY
    with pytest.raises(TypeError, match="Undecorated must be decorated"):
        replace(KEY, objective=Undecorated("squared_error"))
