"""Tools that know nothing of autoencoders; every other package may import them.

In: arrays, parameter values, names of modules and tasks. Out: sums over blocks of rows,
seeds, thread limits, TensorFlow imported with its backend checked, the log and the line
that show progress. Nothing here imports another package of skae, and nothing imports
TensorFlow when it is imported.
"""
