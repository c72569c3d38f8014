"""Networks and weights for the tests of several packages."""

import numpy as np
from hypothesis import strategies as st

from skae._network.architectures import FeatureMaps


def draw_weights(network, seed=0):
    """Draw all arrays, biases too, so that outputs vary as much as inputs."""
    rng = np.random.default_rng(seed)
    return network.split(
        [
            rng.normal(0, np.prod(shape[:-1], dtype=int) ** -0.5, shape)
            for shape in network.array_shapes
        ]
    )


#: Signals and images of any size, odd ones and single pixels too.
FEATURE_MAPS = st.builds(
    FeatureMaps,
    st.one_of(
        st.tuples(st.integers(1, 9), st.integers(1, 3)),
        st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 3)),
    ),
    st.lists(st.integers(1, 4), min_size=1, max_size=2).map(tuple),
    st.integers(1, 4),
)
