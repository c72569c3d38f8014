"""A search for k by a classifier's score: one ordered fit a fold, or a grid search."""

from statistics import median
from time import process_time

from benchmarks.child import require
from benchmarks.harness import ratio, run_in_process, time_call
from benchmarks.report import Target

TITLE = "a search for k by the score of a classifier"
GRID = (1, 2, 4, 8, 16)
MAX_TIME_RATIO = 0.35
MAX_POINTS_BELOW = 1.0
TIMES = ("seconds", "processor_seconds")


CONTENDERS = ("GridSearchCV", "TruncationSearchCV")


def create_search(contender, pipeline, grid, seed):
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    from skae import TruncationSearchCV

    cv = StratifiedKFold(5, shuffle=True, random_state=seed)
    if contender == "GridSearchCV":
        return GridSearchCV(pipeline, {"denseae__n_components": grid}, cv=cv)
    return TruncationSearchCV(pipeline, grid, cv=cv)


def measure(contender, seed, grid, n_epochs):
    """Return the time of a search with its refit, and what it chose."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    require("tensorflow")  # imported here so that the search does not include it
    from skae import DenseAE

    pipeline = make_pipeline(
        StandardScaler(),
        DenseAE(max_iter=n_epochs, random_state=seed),
        LogisticRegression(max_iter=1000),
    )
    search = create_search(contender, pipeline, grid, seed)
    cpu_start = process_time()
    seconds = time_call(search.fit, *load_digits(return_X_y=True))
    return {
        "seconds": seconds,
        "processor_seconds": process_time() - cpu_start,
        "chosen": search.best_params_["denseae__n_components"],
        "score": float(search.best_score_),
        "scores": [float(score) for score in search.cv_results_["mean_test_score"]],
    }


def main(report):
    grid, n_epochs = ((1, 2), 4) if report.quick else (GRID, 100)
    runs = []
    report.table(
        f"k in {grid} on the digits: StandardScaler, DenseAE and LogisticRegression, "
        f"five folds and the refit, {n_epochs} epochs",
        [
            "seed",
            "",
            "time (s)",
            "relative to GridSearchCV",
            "processor time (s)",
            "relative to GridSearchCV",
            "chosen k",
            "best score",
            "scores by k",
        ],
        table_rows(report.seeds, runs, grid=grid, n_epochs=n_epochs),
        "Each search runs in a process of its own, and compiles its networks.",
    )
    report.record("runs", runs)
    if not report.quick:
        report.targets(targets(runs))


def table_rows(seeds, runs, **settings):
    for seed in seeds:
        results = {
            name: run_in_process(measure, contender=name, seed=seed, **settings)
            for name in CONTENDERS
        }
        runs.append(results)
        for name, result in results.items():
            if "error" in result:
                yield seed, name, result["error"]
                continue
            ratios = [time_ratio(results, key) for key in TIMES]
            yield (
                seed,
                name,
                f"{result['seconds']:.1f}",
                ratios[0] if name == "TruncationSearchCV" else None,
                f"{result['processor_seconds']:.1f}",
                ratios[1] if name == "TruncationSearchCV" else None,
                result["chosen"],
                f"{result['score']:.4f}",
                " ".join(f"{score:.3f}" for score in result["scores"]),
            )


def time_ratio(results, key="seconds"):
    truncation, grid = (
        results[name].get(key) for name in ("TruncationSearchCV", "GridSearchCV")
    )
    return ratio(truncation, grid)


def points_below(results):
    """Return by how many points the best score is below that of the grid search."""
    return 100 * (
        results["GridSearchCV"]["score"] - results["TruncationSearchCV"]["score"]
    )


def targets(runs):
    measured = [
        results
        for results in runs
        if not any("error" in result for result in results.values())
    ]
    if not measured:
        return []
    return [
        Target(
            "time relative to GridSearchCV, median of the seeds",
            median(map(time_ratio, measured)),
            MAX_TIME_RATIO,
        ),
        Target(
            "points of the best score below GridSearchCV's, worst of the seeds",
            max(map(points_below, measured)),
            MAX_POINTS_BELOW,
        ),
    ]
