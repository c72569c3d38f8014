"""What is minimised: the network in Keras's layers, and the terms of its loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from skae._keras_backend import StackLayers
from skae._losses import LOSSES, finite_log_variance, kl_to_prior, kl_to_share, l1
from skae._ordering import Nesting, codes_of_views, nesting
from skae._training_operations import TRAINING

if TYPE_CHECKING:
    from skae._epochs import Scalars
    from skae._plan import Program

# Keeps the noise's variance, and so the bound, finite. In units of training the data's
# mean variance is 1.
_SMALLEST_ERROR = 1e-6


class Batch(NamedTuple):
    """Rows to reconstruct, what from, their weights, and normal numbers for codes.

    Of steps that are taken at once, these are the batches one after another.

    Attributes
    ----------
    targets, inputs : (n_steps * batch_size, n_features)
    weights : (n_steps, batch_size)
    normal : (n_steps * batch_size, n_components), or None
    """

    targets: tf.Tensor
    inputs: tf.Tensor
    weights: tf.Tensor
    normal: tf.Tensor | None

    def cut(self, n_steps: int) -> list[tf.Tensor | None]:
        """Return the fields with an axis more, that of the steps, in front."""
        return [
            None if field is None else tf.reshape(field, (n_steps, -1, field.shape[-1]))
            for field in self
        ]

    def halves(self) -> list[Batch]:
        """Return the halves of a batch of even size, without normal numbers."""
        targets, inputs = (tf.split(rows, 2) for rows in (self.targets, self.inputs))
        weights = tf.split(self.weights, 2, axis=1)
        return [
            Batch(*half, None) for half in zip(targets, inputs, weights, strict=True)
        ]


class Objective:
    """A network in Keras's layers, and the loss that its weights are trained on.

    That is made of terms, of which there are `n_terms`: the mean error and, where there
    is one, the codes' term, or for ordered codes the mean errors of the groups of cuts.
    """

    def __init__(self, program: Program) -> None:
        network = program.network
        self._program = program
        self._variational = network.encoder.log_variance
        self.n_terms = 2 if self._variational or program.sparsity else 1
        self._nesting = None
        if program.ordered:
            n_components = network.encoder.n_outputs
            self._nesting = nesting(n_components, program.batch_size // 2)
            self.n_terms = len(self._nesting.weights)
        self._encoder = StackLayers(network.encoder.pooled_early(), "encoder", TRAINING)
        self._decoder = StackLayers(network.decoder.pooled_early(), "decoder", TRAINING)

    def loss(self, xp: Any, terms: Any, code_weight: Any) -> Any:
        """Make the loss, of shape (1,), of the terms.

        For ordered codes it is their geometric mean, which gains as much from one cut
        as from another.
        """
        if self._nesting is not None:
            weights = self._nesting.weights.astype(np.float32)
            logs = xp.log(terms + _SMALLEST_ERROR)
            return xp.exp(xp.sum(weights * logs, keepdims=True))
        error = terms[:1] if self.n_terms > 1 else terms
        if self._variational and self._program.loss == "squared_error":
            # The bound with the noise's best variance, which is the error (Rybkin,
            # Daniilidis & Levine, 2021, "Simple and effective VAE training with
            # calibrated decoders"), over the number of features.
            error = 0.5 * xp.log(error + _SMALLEST_ERROR)
        return error if self.n_terms == 1 else error + code_weight * terms[1:]

    def terms(
        self,
        weights: list[tf.Tensor],
        batch: Batch,
        scalars: Scalars,
    ) -> tf.Tensor:
        """Return the terms of the loss, of shape (n_terms,), for a batch of rows.

        All are weighted sums over the rows.
        """
        variables = self._encoder.variables + self._decoder.variables
        mapping = list(zip(variables, weights, strict=True))
        # Keras's layers run with these tensors in the place of their variables.
        with keras.StatelessScope(state_mapping=mapping):
            if self._nesting is not None:
                return self._nested_errors(batch, self._nesting, scalars.feedback)
            outputs, heads = self._run(batch)
        losses = LOSSES[self._program.loss](keras.ops, batch.targets, outputs)
        row_weights = batch.weights
        # Two products, and as few operations in the gradient. The first goes along the
        # rows: XLA computes it in a loop of its own, as the values lie.
        mean = np.full((outputs.shape[1], 1), 1 / outputs.shape[1], np.float32)
        error = tf.squeeze(tf.matmul(row_weights, tf.matmul(losses, mean)), axis=0)
        if self.n_terms == 1:
            return error
        if self._variational:
            divergence = tf.matmul(row_weights, kl_to_prior(keras.ops, *heads))
        elif self._program.sparsity == "l1":
            divergence = tf.matmul(row_weights, l1(keras.ops, *heads))
        else:
            total = tf.reduce_sum(row_weights)
            rate = tf.matmul(row_weights, *heads) / total
            divergence = total * kl_to_share(keras.ops, scalars.share, rate)
        return tf.concat([error, tf.reduce_sum(divergence, axis=1)], axis=0)

    def _run(self, batch: Batch) -> tuple[tf.Tensor, tuple[Any, ...]]:
        """Return the outputs, and the code with its log-variance if it has one."""
        if not self._variational:
            code = self._encoder(batch.inputs)
            return self._decoder(code), (code,)
        mean, log_variance = self._encoder.heads(batch.inputs)
        log_variance = finite_log_variance(keras.ops, log_variance)
        code = mean + tf.exp(0.5 * log_variance) * batch.normal
        return self._decoder(code), (mean, log_variance)

    def _nested_errors(
        self, batch: Batch, nesting: Nesting, feedback: tf.Tensor
    ) -> tf.Tensor:
        """Decode from codes that are cut off; return the mean error of each group."""
        # On small networks few operations are long enough to be shared among the
        # processors. Halves of a batch do not wait for each other, and so are.
        halves = [
            self._sums_of_groups(half, nesting, feedback) for half in batch.halves()
        ]
        errors, weights = (tf.add_n(sums) for sums in zip(*halves, strict=True))
        # A few rows may leave a group without any: it takes the mean of the others.
        errors = tf.where(
            weights > 0,
            tf.math.divide_no_nan(errors, weights),
            tf.reduce_sum(errors) / tf.reduce_sum(weights),
        )
        return errors * tf.reduce_sum(batch.weights)

    def _sums_of_groups(
        self, batch: Batch, nesting: Nesting, feedback: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the weighted sum of each group's errors, and that of its weights."""
        kept, shares = (values.astype(np.float32) for values in nesting.views)
        # Not `tf.tile`, whose gradient computes with shapes, of which oneDNN complains.
        code = tf.concat([self._encoder(batch.inputs)] * nesting.copies, axis=0)
        # Codes before the row's own learn less from it, at first.
        held = tf.stop_gradient(code)
        own = nesting.own.astype(np.float32)
        code = held + (own + (1.0 - own) * feedback) * (code - held)
        seen = np.arange(code.shape[1])[:, np.newaxis] == codes_of_views(code.shape[1])
        views = tf.matmul(code, seen.astype(np.float32)) * kept
        outputs = self._decoder(tf.concat([views, shares], axis=1))
        targets = tf.concat([batch.targets] * nesting.copies, axis=0)
        losses = LOSSES[self._program.loss](keras.ops, targets, outputs)
        groups = nesting.groups * tf.concat([batch.weights] * nesting.copies, axis=1)
        errors = tf.reduce_sum(tf.matmul(groups, losses), axis=1) / outputs.shape[1]
        return errors, tf.reduce_sum(groups, axis=1)
