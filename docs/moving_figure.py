"""The moving figure of the front page: a fitted decoder that runs in the browser.

A `DenseAE` with two codes is fitted to scikit-learn's digits. Its decoder's arrays go
into the page, and `_static/moving_figure.js` decodes the code under the pointer as
NumPy does. The fitted estimator is cached beside what else Sphinx caches.
"""

from __future__ import annotations

import base64
import hashlib
import json
import pickle
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import skae

HERE = Path(__file__).parent
FOLDER = HERE / "generated" / "moving_figure"

# Ten hues that differ in lightness too, readable on white and on black.
COLORS = (
    "#4e79a7",
    "#f28e2b",
    "#59a14f",
    "#e15759",
    "#b07aa1",
    "#9c755f",
    "#e377c2",
    "#8c8c8c",
    "#bcbd22",
    "#17becf",
)
# Codes along each side of the still picture.
_GRID = 12
_SIDES = np.array([-1, 1])


def write(cache: Path) -> None:
    """Write the figure of the front page, and the picture without scripts."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    estimator = fitted(cache)
    (FOLDER / "figure.html").write_text(as_html(estimator), encoding="utf-8")
    figure = still_picture(estimator)
    figure.savefig(FOLDER / "still.png", dpi=110, bbox_inches="tight")
    plt.close(figure)


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the digits with pixels from 0 to 1, and their classes."""
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y


def fitted(cache: Path) -> skae.DenseAE:
    """Return the estimator of the figure, fitted anew if the code has changed."""
    if saved(cache).is_file():
        digest, estimator = pickle.loads(saved(cache).read_bytes())
        if digest == _digest_of_code():
            return estimator
    # Small hidden layers make a small page; a sigmoid is one line of JavaScript.
    estimator = skae.DenseAE(
        2, hidden_layer_sizes=(64, 64), activation="silu", random_state=0
    ).fit(digits()[0])
    cache.mkdir(parents=True, exist_ok=True)
    saved(cache).write_bytes(pickle.dumps((_digest_of_code(), estimator)))
    return estimator


def saved(cache: Path) -> Path:
    """Return the file with the estimator and the digest of the code that fitted it."""
    return cache / "moving_figure.pickle"


def _digest_of_code() -> str:
    package = Path(skae.__file__).parent
    digest = hashlib.sha256()
    for path in [Path(__file__), *sorted(package.rglob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


# --- The page ---


def as_html(estimator: skae.DenseAE) -> str:
    """Return the figure as HTML, with all that the script needs."""
    decoder = estimator._network.decoder
    # The script runs what this estimator has: hidden layers of silu and a linear path.
    activations = [layer.activation for layer in decoder.layers]
    assert decoder.shortcut
    assert activations == ["silu"] * (len(activations) - 1) + ["linear"]
    arrays = [np.asarray(a, np.float32) for a in estimator._decoder_arrays]
    X, y = digits()
    codes = estimator.transform(X)
    center, reach = visible(codes)
    data = {
        "shapes": [a.shape for a in arrays],
        "arrays": encoded(np.concatenate([a.ravel() for a in arrays])),
        "codes": encoded(codes),
        "center": center.tolist(),
        "reach": reach,
        "classes": "".join(map(str, y)),
        "colors": COLORS,
    }
    key = "".join(
        f'<span style="--color: {color}">{digit}</span>'
        for digit, color in enumerate(COLORS)
    )
    return _HTML.format(
        data=json.dumps(data, separators=(",", ":")),
        key=key,
        estimator=estimator,
        n_numbers=f"{sum(a.size for a in arrays):,}",
    )


def visible(codes: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the centre of the square that shows all codes, and half of its width."""
    low, high = codes.min(axis=0), codes.max(axis=0)
    return (low + high) / 2, float(0.55 * (high - low).max())


def encoded(values: np.ndarray) -> str:
    """Return numbers in single precision, little-endian, as base64."""
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


_HTML = """\
<figure class="moving-figure" hidden>
<div class="moving-figure-panels">
<canvas class="moving-figure-plane" tabindex="0" role="application"
 aria-label="Plane of two codes. Arrow keys move the code."></canvas>
<div class="moving-figure-side">
<canvas class="moving-figure-digit" width="8" height="8" role="img"
 aria-label="The decoded digit"></canvas>
<output class="moving-figure-code"></output>
</div>
</div>
<p class="moving-figure-key">{key}</p>
<figcaption>Each point is a training digit, at its two codes. Move over the plane, drag
a finger across it, or use the arrow keys: this page decodes the code at the ring. There
is no TensorFlow here and no server. The decoder is {n_numbers} numbers, which
<code>{estimator}</code> has learned. A few lines of JavaScript multiply and add them,
as NumPy does in Python.</figcaption>
<script type="application/json">{data}</script>
</figure>
"""


# --- The picture where scripts are off ---


def still_picture(estimator: skae.DenseAE) -> plt.Figure:
    """Draw the plane of codes, and digits decoded on a grid over it."""
    X, y = digits()
    codes = estimator.transform(X)
    center, reach = visible(codes)
    left, right, bottom, top = (
        *(center[0] + reach * _SIDES),
        *(center[1] + reach * _SIDES),
    )
    figure, (plane, grid) = plt.subplots(
        1, 2, figsize=(8, 4.2), layout="constrained", sharex=True, sharey=True
    )
    for digit, color in enumerate(COLORS):
        plane.scatter(*codes[y == digit].T, c=color, s=4, label=str(digit))
    plane.legend(markerscale=3, fontsize="small", loc="upper left")
    grid.imshow(
        decoded_grid(estimator, center, reach),
        cmap="gray_r",
        vmin=0,
        vmax=1,
        extent=(left, right, bottom, top),
    )
    for axes, title in ((plane, "codes of the digits"), (grid, "codes, decoded")):
        axes.set(title=title, aspect="equal", xlabel="component 1")
    plane.set_ylabel("component 2")
    return figure


def decoded_grid(
    estimator: skae.DenseAE, center: np.ndarray, reach: float
) -> np.ndarray:
    """Return the image of all digits that a grid of codes is decoded to."""
    offsets = reach * ((2 * np.arange(_GRID) + 1) / _GRID - 1)
    # The first row of the image has the largest second component.
    codes = np.stack(np.meshgrid(offsets, offsets[::-1]), axis=-1) + center
    rows = estimator.inverse_transform(codes.reshape(-1, 2).astype(np.float32))
    tiles = np.pad(rows.reshape(_GRID, _GRID, 8, 8), [(0, 0), (0, 0), (1, 1), (1, 1)])
    return tiles.swapaxes(1, 2).reshape(10 * _GRID, 10 * _GRID)
