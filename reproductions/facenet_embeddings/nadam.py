"""Nadam with the momentum schedule of Keras 2, for papers that state its `schedule_decay`."""

import math

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="deepfake")
class ScheduledNadam(keras.optimizers.Optimizer):
    """Adam with Nesterov momentum that grows from about beta_1 / 2 to beta_1, as slowly as schedule_decay says.

        mu_t = beta_1 (1 - 0.5 * 0.96^(t * schedule_decay)) is the momentum of step t = 1, 2, ...
        m_t = beta_1 m_(t-1) + (1 - beta_1) g_t, v_t = beta_2 v_(t-1) + (1 - beta_2) g_t^2
        m_hat = (1 - mu_t) g_t / (1 - mu_1 ... mu_t) + mu_(t+1) m_t / (1 - mu_1 ... mu_(t+1))
        w -= learning_rate * m_hat / (sqrt(v_t / (1 - beta_2^t)) + epsilon)

    Source: Dozat 2016, "Incorporating Nesterov Momentum into Adam", with the schedule of Sutskever et al. 2013, sec. 2;
    rule and defaults are those of Keras 2. keras.optimizers.Nadam of Keras 3 is this rule with schedule_decay = 1, and
    has no such argument: there mu_t is at 0.95 beta_1 after 57 steps, with Keras 2's 0.004 after 14,102.

    options: those of keras.optimizers.Optimizer.
    """

    def __init__(self, learning_rate=0.002, beta_1=0.9, beta_2=0.999, epsilon=1e-7, schedule_decay=0.004, **options):
        super().__init__(learning_rate=learning_rate, **options)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.schedule_decay = schedule_decay
        # mu_1 ... mu_t for t = 0, 1, ..., up to where 1 minus it is 1. A table instead of a variable: what is no state
        # needs no care among replicas and in checkpoints.
        steps = math.ceil(math.log(1e-9) / math.log(beta_1)) if beta_1 else 1
        self._products = np.cumprod([1.0, *self._momentum(np.arange(1, steps + 1))]).astype(np.float32)

    def build(self, var_list):
        if self.built:
            return
        super().build(var_list)
        self._momentums, self._velocities = self.add_optimizer_variables(var_list, ["momentum", "velocity"])

    def update_step(self, gradient, variable, learning_rate):
        dtype = variable.dtype
        place = self._get_variable_index(variable)
        m, v = self._momentums[place], self._velocities[place]
        gradient, learning_rate = ops.cast(gradient, dtype), ops.cast(learning_rate, dtype)
        step = ops.cast(self.iterations + 1, "float32")
        momentum, next_momentum = self._momentum(step), self._momentum(step + 1)
        product = self._product(self.iterations + 1)

        self.assign(m, self.beta_1 * m + (1 - self.beta_1) * gradient)
        self.assign(v, self.beta_2 * v + (1 - self.beta_2) * ops.square(gradient))
        of_gradient = ops.cast((1 - momentum) / (1 - product), dtype)
        of_momentum = ops.cast(next_momentum / (1 - product * next_momentum), dtype)
        variance = v / ops.cast(1 - ops.power(self.beta_2, step), dtype)
        direction = of_gradient * gradient + of_momentum * m
        self.assign_sub(variable, learning_rate * direction / (ops.sqrt(variance) + self.epsilon))

    def get_config(self):
        names = ("beta_1", "beta_2", "epsilon", "schedule_decay")
        return super().get_config() | {name: getattr(self, name) for name in names}

    def _momentum(self, step):
        """mu_t; step: numbers, an array or a tensor."""
        return self.beta_1 * (1 - 0.5 * 0.96 ** (step * self.schedule_decay))

    def _product(self, step):
        """mu_1 ... mu_t, float32; step: an integer tensor."""
        return ops.take(self._products, ops.minimum(step, len(self._products) - 1))
