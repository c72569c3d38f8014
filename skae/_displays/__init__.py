"""Pictures of fitted estimators, in scikit-learn's convention for displays.

In: fitted estimators, rows, or plain arrays. Out: figures of matplotlib, which is
imported when the first one is drawn. Each module has one display: `from_estimator`
computes arrays, the constructor takes them, and `plot` draws them. Nothing is fitted
here, and no other package of skae imports this one before a picture is asked for.
"""
