"""A fit: a validated plan and rows in, the fitted network or PCA out.

In: a `FitPlan`, rows as an array, the previous fit if there is one. Out: a `FitResult`
of arrays in the units of the data. It decides what is trained on which rows, compares
the network with PCA on held-out rows, and sets the units of the codes. Estimators and
TensorFlow do not belong here: training is imported when the first network is trained.
"""
