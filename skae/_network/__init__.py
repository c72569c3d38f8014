"""The network as plain data, and its interpreters.

In: layer widths, activation names, arrays. Out: a frozen description with its arrays,
run by NumPy, trained by Keras, exported to ONNX, or brought into other units. Training,
PCA and acceptance do not belong here; only the Keras interpreter imports TensorFlow.
"""
