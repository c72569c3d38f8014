"""Corruption of inputs, which a denoising autoencoder learns to undo.

A kind of corruption is defined once, by its `apply`. Random numbers come from `Draws`:
those of the compiled graph in training, and NumPy's for held-out rows.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np

from skae._utils.blocks import extremes

if TYPE_CHECKING:
    from collections.abc import Callable

    from skae._utils.blocks import RowSource


class CorruptionValues(NamedTuple):
    """Strength and replacement values of a corruption, in the units of training.

    Attributes
    ----------
    level : float
        Standard deviation of Gaussian noise; otherwise the share of corrupted values.
    low, high : ndarray of shape (n_features,) or (1,)
        Values that replace corrupted ones, each in half of the cases.
    """

    level: float = 0.0
    low: np.ndarray = np.zeros(1)
    high: np.ndarray = np.zeros(1)


NO_VALUES = CorruptionValues()


class Draws(Protocol):
    """Random numbers for a set of rows, and the values of their corruption."""

    @property
    def level(self) -> Any: ...
    def replacements(self) -> tuple[Any, Any]:
        """Return the low and the high replacement values."""

    def normal(self, shape: Any) -> Any:
        """Draw from the standard normal distribution."""

    def uniform(self, shape: Any) -> Any:
        """Draw from [0, 1)."""

    def values_of_other_rows(self, shape: Any) -> Any:
        """Draw values of each feature from other training rows."""


@dataclass(frozen=True)
class Corruption:
    """A kind of corruption; the base class leaves the inputs as they are.

    Attributes
    ----------
    is_active : bool
        Whether inputs differ from targets.
    n_normals : int
        Normal numbers drawn for each value.
    needs_donors : bool
        Whether values of other rows are drawn.
    max_level : float
        The largest level that makes sense.
    """

    is_active: ClassVar[bool] = False
    n_normals: ClassVar[int] = 0
    needs_donors: ClassVar[bool] = False
    max_level: ClassVar[float] = np.inf

    def values(
        self, level: float, unit: float, rows: Callable[[], RowsToCorrupt]
    ) -> CorruptionValues:
        """Return the values of this corruption, in the units of training.

        `unit` is the standard deviation of the data in these units; `rows` gives the
        training rows, for kinds that need them.
        """
        return CorruptionValues(level)

    def apply(self, xp: Any, rows: Any, draws: Draws) -> Any:
        """Return the corrupted rows; `xp` is the module of array functions."""
        return rows


class RowsToCorrupt(NamedTuple):
    """Training rows: their source, their indices, and zero in the units of training."""

    X: RowSource
    indices: np.ndarray
    zero: np.ndarray


@dataclass(frozen=True)
class Gaussian(Corruption):
    """Adds normal noise."""

    is_active = True
    n_normals = 1

    def values(
        self, level: float, unit: float, rows: Callable[[], RowsToCorrupt]
    ) -> CorruptionValues:
        return CorruptionValues(level * unit)

    def apply(self, xp: Any, rows: Any, draws: Draws) -> Any:
        return add_gaussian(rows, draws.normal(rows.shape), draws.level)


@dataclass(frozen=True)
class _Replacing(Corruption):
    """Replaces a share of the values, half of them by each of two other values."""

    is_active = True
    max_level = 1.0

    def apply(self, xp: Any, rows: Any, draws: Draws) -> Any:
        uniform = draws.uniform(rows.shape)
        low, high = self.replacements(rows, draws)
        half = draws.level / 2
        return xp.where(uniform < half, low, xp.where(uniform >= 1 - half, high, rows))

    @abstractmethod
    def replacements(self, rows: Any, draws: Draws) -> tuple[Any, Any]:
        """Return the values that replace the corrupted ones."""


@dataclass(frozen=True)
class _ReplacingByFeature(_Replacing):
    """Replaces values by fixed values of their feature."""

    def replacements(self, rows: Any, draws: Draws) -> tuple[Any, Any]:
        return draws.replacements()


@dataclass(frozen=True)
class Masking(_ReplacingByFeature):
    """Sets values to zero, in the units of the data."""

    def values(
        self, level: float, unit: float, rows: Callable[[], RowsToCorrupt]
    ) -> CorruptionValues:
        zero = np.asarray(rows().zero, dtype=np.float32)
        return CorruptionValues(level, zero, zero)


@dataclass(frozen=True)
class SaltAndPepper(_ReplacingByFeature):
    """Sets values to the feature's minimum or maximum over the training rows."""

    def values(
        self, level: float, unit: float, rows: Callable[[], RowsToCorrupt]
    ) -> CorruptionValues:
        X, indices, _ = rows()
        low, high = extremes(X, indices)
        return CorruptionValues(level, low, high)


@dataclass(frozen=True)
class Swap(_Replacing):
    """Takes the feature's value from another training row."""

    needs_donors = True

    def replacements(self, rows: Any, draws: Draws) -> tuple[Any, Any]:
        swapped = draws.values_of_other_rows(rows.shape)
        return swapped, swapped


NO_CORRUPTION = Corruption()

#: Kinds of corruption by the name of the noise.
CORRUPTIONS: dict[str, Corruption] = {
    "gaussian": Gaussian(),
    "masking": Masking(),
    "salt_and_pepper": SaltAndPepper(),
    "swap": Swap(),
}


def add_gaussian(rows: Any, normal: Any, level: Any) -> Any:
    return rows + level * normal


class NumpyDraws:
    """The `Draws` of NumPy, for held-out rows.

    Parameters
    ----------
    values : CorruptionValues
    rng : numpy.random.Generator
    donors : callable
        Returns the training rows, an array of shape (n_train, n_features).
    """

    def __init__(
        self,
        values: CorruptionValues,
        rng: np.random.Generator,
        donors: Callable[[], np.ndarray],
    ) -> None:
        self.level = values.level
        self._values = values
        self._rng = rng
        self._donors = donors

    def replacements(self) -> tuple[np.ndarray, np.ndarray]:
        return self._values.low, self._values.high

    def normal(self, shape: tuple[int, ...]) -> np.ndarray:
        return self._rng.standard_normal(shape, dtype=np.float32)

    def uniform(self, shape: tuple[int, ...]) -> np.ndarray:
        return self._rng.random(shape, dtype=np.float32)

    def values_of_other_rows(self, shape: tuple[int, ...]) -> np.ndarray:
        donors = self._donors()
        chosen = self._rng.integers(len(donors), size=shape)
        return np.take_along_axis(donors, chosen, axis=0)
