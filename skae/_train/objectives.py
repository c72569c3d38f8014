"""Objectives: the terms of the loss, and how the loss is made of them.

An objective is a value: a frozen dataclass that is part of the `GraphKey`. The compiled
program calls its methods while it traces the graph, with the network as Keras layers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from skae._network.losses import (
    LOSSES,
    TARGET_LOSSES,
    clip_log_variance,
    kl_to_prior,
    kl_to_target_rate,
    l1,
)
from skae._network.nested import (
    CutSchedule,
    copied_codes,
    cut_groups,
    cut_schedule,
    group_weights,
)

if TYPE_CHECKING:
    from skae._network.keras_interpreter import StackLayers
    from skae._train.schedule import Scalars

# Keeps logarithms of errors finite. In units of training the data's mean variance is 1.
_SMALLEST_ERROR = 1e-6


class Batch(NamedTuple):
    """A minibatch: targets, inputs, row weights, and noise for the reparameterisation.

    For steps that are compiled together, the batches follow one another.

    Attributes
    ----------
    targets, inputs : (n_steps * batch_size, n_features)
    weights : (n_steps, batch_size)
        Weights of the rows; 0 for rows that pad a batch. An objective gets one batch.
    normal : (n_steps * batch_size, n_components), or None
    labels : (n_steps * batch_size, n_labels), or None
    """

    targets: tf.Tensor
    inputs: tf.Tensor
    weights: tf.Tensor
    normal: tf.Tensor | None
    labels: tf.Tensor | None = None

    def by_step(self, n_steps: int) -> list[tf.Tensor | None]:
        """Return the fields with a leading axis for the steps."""
        return [
            None if field is None else tf.reshape(field, (n_steps, -1, field.shape[-1]))
            for field in self
        ]

    def halves(self) -> list[Batch]:
        """Return the halves of a batch of even size, without the noise."""
        targets, inputs = (tf.split(rows, 2) for rows in (self.targets, self.inputs))
        weights = tf.split(self.weights, 2, axis=1)
        return [
            Batch(*half, None) for half in zip(targets, inputs, weights, strict=True)
        ]


class NetworkLayers(NamedTuple):
    """The two halves of the network as Keras layers."""

    encoder: StackLayers
    decoder: StackLayers


@dataclass(frozen=True)
class Reconstruction:
    """The mean reconstruction error, and the base class of all objectives.

    Attributes
    ----------
    loss : str
        Name of the elementwise loss, one of `LOSSES`.
    """

    loss: str
    #: Whether codes are drawn, and so normal numbers are needed for them.
    draws_codes: ClassVar[bool] = False

    @property
    def n_terms(self) -> int:
        """Number of terms."""
        return 1

    @property
    def n_label_columns(self) -> int:
        """Number of columns of labels that follow the features of each row."""
        return 0

    def terms(self, layers: NetworkLayers, batch: Batch, scalars: Scalars) -> tf.Tensor:
        """Return the terms of a batch, of shape (n_terms,).

        A term is a mean over rows, by the weights of the rows. In a batch to train on
        the weights add up to 1, in one of held-out rows to its share of them, so that
        the terms of their batches add up.
        """
        return self.mean_error(batch, layers.decoder(layers.encoder(batch.inputs)))

    def total(self, xp: Any, terms: Any, term_weight: Any) -> Any:
        """Return the loss, of shape (1,), in NumPy or Keras arrays."""
        return terms

    def mean_error(self, batch: Batch, outputs: tf.Tensor) -> tf.Tensor:
        """Return the weighted mean of the loss over rows and features, of shape (1,).

        It takes two matrix products, with few operations in the gradient. The first one
        runs along the rows: XLA computes it in a loop that follows the memory.
        """
        losses = LOSSES[self.loss](keras.ops, batch.targets, outputs)
        mean = np.full((outputs.shape[1], 1), 1 / outputs.shape[1], np.float32)
        return tf.squeeze(tf.matmul(batch.weights, tf.matmul(losses, mean)), axis=0)


@dataclass(frozen=True)
class CodePenalty(Reconstruction, ABC):
    """The reconstruction error plus a penalty on the codes.

    The configuration of the training has the weight of the penalty.
    """

    @property
    def n_terms(self) -> int:
        return 2

    def terms(self, layers: NetworkLayers, batch: Batch, scalars: Scalars) -> tf.Tensor:
        codes = layers.encoder(batch.inputs)
        error = self.mean_error(batch, layers.decoder(codes))
        penalty = self.penalty(codes, batch.weights, scalars)
        return tf.concat([error, tf.reduce_sum(penalty, axis=1)], axis=0)

    def total(self, xp: Any, terms: Any, term_weight: Any) -> Any:
        return terms[:1] + term_weight * terms[1:]

    @abstractmethod
    def penalty(
        self, codes: tf.Tensor, weights: tf.Tensor, scalars: Scalars
    ) -> tf.Tensor:
        """Return each code's penalty, of shape (1, n_components).

        It is a mean over rows by their `weights`, of shape (1, batch_size), or as many
        times a penalty on the batch as the weights add up to.
        """


@dataclass(frozen=True)
class L1Penalty(CodePenalty):
    """The mean absolute value of each code."""

    def penalty(
        self, codes: tf.Tensor, weights: tf.Tensor, scalars: Scalars
    ) -> tf.Tensor:
        return tf.matmul(weights, l1(keras.ops, codes))


@dataclass(frozen=True)
class KLPenalty(CodePenalty):
    """The divergence of each code's mean activation from the target rate."""

    def penalty(
        self, codes: tf.Tensor, weights: tf.Tensor, scalars: Scalars
    ) -> tf.Tensor:
        total = tf.reduce_sum(weights)
        rate = tf.matmul(weights, codes) / total
        return total * kl_to_target_rate(keras.ops, scalars.target_rate, rate)


@dataclass(frozen=True)
class EvidenceBound(Reconstruction):
    """The negative evidence lower bound of a variational autoencoder.

    Its terms are the reconstruction error of codes drawn from the posterior, and the
    posterior's divergence from the prior.
    """

    draws_codes = True

    @property
    def n_terms(self) -> int:
        return 2

    def terms(self, layers: NetworkLayers, batch: Batch, scalars: Scalars) -> tf.Tensor:
        mean, log_variance = layers.encoder.heads(batch.inputs)
        log_variance = clip_log_variance(keras.ops, log_variance)
        codes = mean + tf.exp(0.5 * log_variance) * batch.normal
        error = self.mean_error(batch, layers.decoder(codes))
        divergence = tf.matmul(
            batch.weights, kl_to_prior(keras.ops, mean, log_variance)
        )
        return tf.concat([error, tf.reduce_sum(divergence, axis=1)], axis=0)

    def total(self, xp: Any, terms: Any, term_weight: Any) -> Any:
        error = terms[:1]
        if self.loss == "squared_error":
            # The bound with the best variance of the noise, which is the error (Rybkin,
            # Daniilidis & Levine, 2021, "Simple and effective VAE training with
            # calibrated decoders"), divided by the number of features.
            error = 0.5 * xp.log(error + _SMALLEST_ERROR)
        return error + term_weight * terms[1:]


@dataclass(frozen=True)
class SupervisedReconstruction(Reconstruction):
    """The reconstruction error, and the loss of a linear head on the codes.

    The configuration of the training has the weight of the second term.

    Attributes
    ----------
    kind : str
        Kind of the targets, one of `TARGET_LOSSES`.
    n_labels : int
        Number of columns of labels.
    """

    kind: str
    n_labels: int

    @property
    def n_terms(self) -> int:
        return 2

    @property
    def n_label_columns(self) -> int:
        return self.n_labels

    def terms(self, layers: NetworkLayers, batch: Batch, scalars: Scalars) -> tf.Tensor:
        codes = layers.encoder(batch.inputs)
        error = self.mean_error(batch, layers.decoder(codes))
        outputs = layers.decoder.targets(codes)
        losses = TARGET_LOSSES[self.kind](keras.ops, batch.labels, outputs)
        return tf.concat([error, tf.squeeze(batch.weights @ losses, axis=0)], axis=0)

    def total(self, xp: Any, terms: Any, term_weight: Any) -> Any:
        return terms[:1] + term_weight * terms[1:]


@dataclass(frozen=True)
class NestedReconstruction(Reconstruction):
    """The reconstruction errors of codes that are cut off at different places.

    There is a term for each group of cuts: its mean error.

    Attributes
    ----------
    n_components : int
    """

    n_components: int

    @property
    def n_terms(self) -> int:
        return len(cut_groups(self.n_components))

    @cached_property
    def _weights(self) -> np.ndarray:
        return group_weights(self.n_components).astype(np.float32)

    def terms(self, layers: NetworkLayers, batch: Batch, scalars: Scalars) -> tf.Tensor:
        # On small networks few operations are long enough to be split among the
        # processors. The halves of a batch are independent, so they run side by side.
        schedule = cut_schedule(self.n_components, batch.targets.shape[0] // 2)
        sums = [
            self._group_sums(layers, half, schedule, scalars.early_code_gradient)
            for half in batch.halves()
        ]
        errors, weights = (tf.add_n(both) for both in zip(*sums, strict=True))
        # In a batch of few rows a group may be empty: it gets the mean of the others.
        errors = tf.where(
            weights > 0,
            tf.math.divide_no_nan(errors, weights),
            tf.reduce_sum(errors) / tf.reduce_sum(weights),
        )
        return errors * tf.reduce_sum(batch.weights)

    def total(self, xp: Any, terms: Any, term_weight: Any) -> Any:
        """Return the geometric mean of the terms, which favours no cut over another."""
        logs = xp.log(terms + _SMALLEST_ERROR)
        return xp.exp(xp.sum(self._weights * logs, keepdims=True))

    def _group_sums(
        self,
        layers: NetworkLayers,
        batch: Batch,
        schedule: CutSchedule,
        early_code_gradient: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return each group's weighted sum of errors, and the sum of its weights."""
        masks, mixture = (values.astype(np.float32) for values in schedule.inputs)
        n_copies = schedule.n_copies
        # Not `tf.tile`: its gradient computes with shapes, and oneDNN complains of it.
        codes = tf.concat([layers.encoder(batch.inputs)] * n_copies, axis=0)
        # At first, codes below the level of the row's cut get little of its gradient.
        fixed = tf.stop_gradient(codes)
        own = schedule.own.astype(np.float32)
        codes = fixed + (own + (1.0 - own) * early_code_gradient) * (codes - fixed)
        copied = np.arange(codes.shape[1])[:, np.newaxis] == copied_codes(
            codes.shape[1]
        )
        masked = tf.matmul(codes, copied.astype(np.float32)) * masks
        outputs = layers.decoder(tf.concat([masked, mixture], axis=1))
        targets = tf.concat([batch.targets] * n_copies, axis=0)
        losses = LOSSES[self.loss](keras.ops, targets, outputs)
        groups = schedule.groups * tf.concat([batch.weights] * n_copies, axis=1)
        errors = tf.reduce_sum(tf.matmul(groups, losses), axis=1) / outputs.shape[1]
        return errors, tf.reduce_sum(groups, axis=1)


Objective: TypeAlias = Reconstruction
