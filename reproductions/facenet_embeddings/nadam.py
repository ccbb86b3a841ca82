"""Nadam with the momentum schedule of Keras 2, for papers that state its `schedule_decay`."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from common.library_internals import variable_index


@keras.saving.register_keras_serializable(package="deepfake")
class ScheduledNadam(keras.optimizers.Optimizer):
    """Adam with Nesterov momentum that grows from about beta_1 / 2 to beta_1, at a speed set by schedule_decay.

        mu_t = beta_1 (1 - 0.5 * 0.96^(t * schedule_decay)) is the momentum of step t = 1, 2, ...
        m_t = beta_1 m_(t-1) + (1 - beta_1) g_t, v_t = beta_2 v_(t-1) + (1 - beta_2) g_t^2
        m_hat = (1 - mu_t) g_t / (1 - mu_1 ... mu_t) + mu_(t+1) m_t / (1 - mu_1 ... mu_(t+1))
        w -= learning_rate * m_hat / (sqrt(v_t / (1 - beta_2^t)) + epsilon)

    Source: Dozat 2016, "Incorporating Nesterov Momentum into Adam", with the schedule of Sutskever et al. 2013, sec. 2;
    rule and defaults are those of Keras 2. keras.optimizers.Nadam of Keras 3 is this rule with schedule_decay = 1, and
    has no such argument: there mu_t reaches 0.95 beta_1 after 57 steps, with Keras 2's 0.004 after 14,102.

    Args:
        learning_rate: a number or a keras.optimizers.schedules.LearningRateSchedule.
        beta_1: the final momentum, in [0, 1).
        beta_2: the decay of the second moment, in [0, 1).
        epsilon: added to the denominator.
        schedule_decay: the speed of the momentum schedule; 0 keeps the momentum at beta_1 / 2.
        options: those of keras.optimizers.Optimizer.
    """

    def __init__(
        self,
        learning_rate: Any = 0.002,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        schedule_decay: float = 0.004,
        **options: Any,
    ):
        super().__init__(learning_rate=learning_rate, **options)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.schedule_decay = schedule_decay
        # mu_1 ... mu_t for t = 0, 1, ..., until 1 minus the product is 1 in float32. A constant table needs no
        # synchronisation and no checkpoint.
        steps = math.ceil(math.log(1e-9) / math.log(beta_1)) if beta_1 else 1
        self._products = np.cumprod([1.0, *self.momentum(np.arange(1, steps + 1))]).astype(np.float32)

    def build(self, var_list: list[keras.Variable]) -> None:
        """Create the first and second moments of the variables."""
        if self.built:
            return
        super().build(var_list)
        self._momentums, self._velocities = self.add_optimizer_variables(var_list, ["momentum", "velocity"])

    def update_step(self, gradient: Any, variable: keras.Variable, learning_rate: Any) -> None:
        """Update one variable by the rule above.

        Args:
            gradient: of the shape of the variable.
            variable: the weight.
            learning_rate: a scalar tensor.
        """
        dtype = variable.dtype
        index = variable_index(self, variable)
        m, v = self._momentums[index], self._velocities[index]
        gradient, learning_rate = ops.cast(gradient, dtype), ops.cast(learning_rate, dtype)
        step = ops.cast(self.iterations + 1, "float32")
        momentum, next_momentum = self.momentum(step), self.momentum(step + 1)
        product = self._product(self.iterations + 1)

        self.assign(m, self.beta_1 * m + (1 - self.beta_1) * gradient)
        self.assign(v, self.beta_2 * v + (1 - self.beta_2) * ops.square(gradient))
        gradient_factor = ops.cast((1 - momentum) / (1 - product), dtype)
        momentum_factor = ops.cast(next_momentum / (1 - product * next_momentum), dtype)
        variance = v / ops.cast(1 - ops.power(self.beta_2, step), dtype)
        direction = gradient_factor * gradient + momentum_factor * m
        self.assign_sub(variable, learning_rate * direction / (ops.sqrt(variance) + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the optimizer."""
        names = ("beta_1", "beta_2", "epsilon", "schedule_decay")
        return super().get_config() | {name: getattr(self, name) for name in names}

    def momentum(self, step: Any) -> Any:
        """Return mu_t.

        Args:
            step: t, a number, array or tensor.
        """
        return self.beta_1 * (1 - 0.5 * 0.96 ** (step * self.schedule_decay))

    def _product(self, step):
        """mu_1 ... mu_t, float32, for an integer tensor t."""
        return ops.take(self._products, ops.minimum(step, len(self._products) - 1))
