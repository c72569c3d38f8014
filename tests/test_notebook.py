"""A notebook with what skae shows in one: diagrams, tables, pictures, progress."""

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = [
    # A kernel of its own: its settings are not those of the tests.
    "%matplotlib inline\n"
    "from sklearn.datasets import load_digits\n"
    "from sklearn.pipeline import make_pipeline\n"
    "from sklearn.preprocessing import StandardScaler\n"
    "from skae import (\n"
    "    CodesDisplay, DenseAE, TrainingHistoryDisplay, compare_with_pca\n"
    ")\n"
    "X, y = load_digits(return_X_y=True)\n"
    "autoencoder = DenseAE(\n"
    "    2, hidden_layer_sizes=(8,), max_iter=3, random_state=0, verbose=1\n"
    ")\n"
    "model = make_pipeline(StandardScaler(), autoencoder)",
    "model.fit(X)",
    "_ = TrainingHistoryDisplay.from_estimator(model)",
    "_ = CodesDisplay.from_estimator(model, X, y)",
    "comparison = compare_with_pca(\n"
    "    X, n_components=(1, 2), autoencoder=autoencoder.set_params(verbose=0), cv=2\n"
    ")\n"
    "comparison",
    "_ = comparison.plot()",
    # scikit-learn has callbacks from version 1.9 on.
    "from sklearn.model_selection import GridSearchCV\n"
    "search = GridSearchCV(autoencoder, {'n_components': [1, 2]}, cv=2)\n"
    "try:\n"
    "    from sklearn.callback import ProgressBar\n"
    "except ImportError:\n"
    "    pass\n"
    "else:\n"
    "    search.set_callbacks(ProgressBar())\n"
    "print(search.fit(X).best_params_)",
]


@pytest.fixture(scope="module")
def executed():
    """The outputs of each cell."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS]
    )
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return [cell.outputs for cell in notebook.cells]


def shown(outputs, kind):
    return [out.data[kind] for out in outputs if kind in out.get("data", {})]


def test_fitted_pipeline_is_a_diagram_with_facts(executed):
    (diagram,) = shown(executed[1], "text/html")
    assert "network: 2 codes, 3 epochs" in diagram
    assert "/generated/skae.DenseAE.html" in diagram


@pytest.mark.parametrize("cell", [2, 3, 5])
def test_displays_are_pictures(executed, cell):
    assert len(shown(executed[cell], "image/png")) == 1
    assert [out.output_type for out in executed[cell]] == ["display_data"]


def test_comparison_is_a_table(executed):
    (table,) = shown(executed[4], "text/html")
    assert "<th>error: PCA</th>" in table
    assert table.count("<tr>") == 3


def written(outputs, stream):
    return "".join(out.text for out in outputs if out.get("name") == stream)


def test_verbose_shows_a_line_and_no_red_box(executed):
    line, *_ = shown(executed[1], "text/plain")
    assert "is a network with n_components=2" in line
    assert "DenseAE" not in written(executed[1], "stderr")


def test_search_with_a_progress_bar(executed):
    assert "{'n_components': 2}" in written(executed[6], "stdout")
    assert written(executed[6], "stderr") == ""
