"""Losses on embeddings: of given triplets, and of the triplets that are mined in a batch. README.md has the formulas.

Every loss returns one value per example, shape (B,). Keras takes the mean and divides it among the devices of a
strategy, so that one step on two devices equals the step on one. All are written in keras.ops, for any Keras backend.
Once this module is imported, Keras knows each by its name: `compile(loss="deepfake>SemiHard")`.
"""

from common.losses.batch_all import BatchAll
from common.losses.batch_hard import BatchHard
from common.losses.semi_hard import SemiHard
from common.losses.triplets import TripletHinge, TripletLogExp

__all__ = ["BatchAll", "BatchHard", "SemiHard", "TripletHinge", "TripletLogExp"]
