"""One training: a network description, start weights and rows in, trained weights out.

In: a `GraphKey`, a `TrainingConfig`, rows and start weights as arrays. Out: a
`TrainingResult` of arrays and losses. Compiled programs are kept and leased here. What
a fit decides, PCA and the data's units do not belong here. Without TensorFlow, only
`batches`, `config`, `corruption`, `schedule` and `xla` can be imported.
"""
