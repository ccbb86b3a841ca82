"""The random identity, pose and expression of a face.

Lengths are in half face widths; the origin is between the eyes, x points right, y down, z to the viewer.
"""

from dataclasses import dataclass, replace

import numpy as np

SKIN_COLOURS = np.array([(95, 80, 71), (90, 72, 60), (83, 63, 49), (71, 50, 36), (55, 37, 26), (40, 26, 19)]) / 100
HAIR_COLOURS = (
    np.array([(10, 8, 7), (20, 13, 9), (34, 22, 14), (44, 28, 17), (66, 52, 34), (80, 68, 48), (64, 62, 60)]) / 100
)
IRIS_COLOURS = np.array([(22, 13, 8), (36, 23, 12), (38, 42, 26), (36, 50, 62), (47, 54, 56)]) / 100
HAIR_STYLES = ("short", "cropped", "parted", "fringe", "long", "bob", "curly", "tied", "receding", "bald")
MENS_STYLE_SHARES = (0.26, 0.14, 0.20, 0.06, 0.03, 0.00, 0.06, 0.00, 0.15, 0.10)  # probability of each style
WOMENS_STYLE_SHARES = (0.04, 0.02, 0.10, 0.20, 0.28, 0.16, 0.10, 0.10, 0.00, 0.00)


@dataclass(frozen=True)
class Person:
    """An identity: everything about a head that is the same in all its pictures."""

    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    lips: np.ndarray
    hair_style: str
    parting: float
    volume: float
    hairline: float
    grain: float  # strength of the skin's texture
    age: float  # 0 to 1: depth of folds and wrinkles
    jaw: float
    chin: float
    cheeks: float
    eye_gap: float
    eye_width: float
    eye_height: float
    eye_tilt: float
    brow_height: float
    brow_thickness: float
    brow_arch: float
    nose_length: float
    nose_width: float
    nose_bridge: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    stubble: float
    beard: bool
    moustache: bool
    freckles: bool
    make_up: float
    glasses: str  # none, round, square
    texture: int  # seed of strands, pores and freckles


@dataclass(frozen=True)
class Pose:
    """Position and expression of a head in one picture; angles in radians, centre and scale in pixels."""

    centre: np.ndarray
    scale: float
    yaw: float
    pitch: float
    roll: float
    gaze: np.ndarray
    lids: float  # opening of the eyes: 1 is usual for the person, 0 is shut
    smile: float
    mouth: float  # opening of the mouth


def draw_person(rng: np.random.Generator) -> Person:
    """Draw a random Person."""
    skin = _interpolate(rng, SKIN_COLOURS) * rng.uniform(0.97, 1.03, 3)
    masculine = rng.random() < 0.5
    age = rng.beta(1.3, 1.8)
    dark = skin[0] < 0.6
    beard = masculine and rng.random() < 0.25
    return Person(
        skin=np.clip(skin, 0, 0.97),
        hair=np.clip(_hair_colour(rng, dark, age) * rng.uniform(0.85, 1.15), 0, 0.95),
        iris=(IRIS_COLOURS[rng.integers(2)] if dark else _interpolate(rng, IRIS_COLOURS)) * rng.uniform(0.85, 1.1),
        lips=np.clip(skin * (0.93, 0.72, 0.72) + (0.02, -0.02, 0.0), 0.05, 1),
        hair_style=HAIR_STYLES[rng.choice(len(HAIR_STYLES), p=MENS_STYLE_SHARES if masculine else WOMENS_STYLE_SHARES)],
        parting=rng.uniform(-0.55, 0.55),
        volume=rng.uniform(0.05, 0.22),
        hairline=rng.normal(-0.86, 0.06),
        grain=rng.uniform(0.9, 1.5),
        age=age,
        jaw=rng.normal(1.03 if masculine else 0.93, 0.06),
        chin=rng.normal(1.64 if masculine else 1.56, 0.06),
        cheeks=rng.normal(1.0, 0.03),
        eye_gap=rng.normal(0.42, 0.02),
        eye_width=rng.normal(0.222, 0.014),
        eye_height=rng.normal(0.086 if masculine else 0.1, 0.01),
        eye_tilt=rng.normal(0.03, 0.04),
        brow_height=rng.normal(0.27 if masculine else 0.31, 0.025),
        brow_thickness=max(0.03, rng.normal(0.085 if masculine else 0.06, 0.014)),
        brow_arch=rng.normal(0.035 if masculine else 0.07, 0.02),
        nose_length=rng.normal(0.68, 0.04),
        nose_width=rng.normal(0.235 if masculine else 0.21, 0.022) + 0.04 * dark,
        nose_bridge=rng.uniform(0.6, 1.3),
        mouth_width=rng.normal(0.38, 0.03),
        upper_lip=max(0.03, rng.normal(0.07, 0.015)) * (1.3 if dark else 1.0),
        lower_lip=max(0.05, rng.normal(0.105, 0.018)) * (1.2 if dark else 1.0),
        stubble=rng.uniform(0, 0.5) * masculine,
        beard=beard,
        moustache=beard or (masculine and rng.random() < 0.08),
        freckles=not dark and rng.random() < 0.15,
        make_up=0.0 if masculine else rng.uniform(0, 1),
        glasses=rng.choice(["none", "round", "square"], p=(0.8, 0.08, 0.12)),
        texture=int(rng.integers(2**31)),
    )


def draw_pose(rng: np.random.Generator) -> Pose:
    """Draw a random Pose, frontal enough for face detectors."""
    return Pose(
        centre=np.array([128, 114]) + np.clip(rng.normal(0, (7, 5)), -16, 16),
        scale=rng.uniform(54, 70),
        yaw=np.clip(rng.normal(0, 0.17), -0.38, 0.38),
        pitch=np.clip(rng.normal(0.0, 0.07), -0.15, 0.15),
        roll=np.clip(rng.normal(0, 0.05), -0.13, 0.13),
        gaze=np.clip(rng.normal(0, 0.25, 2), -0.6, 0.6) * (1, 0.4),
        lids=rng.uniform(0.85, 1.2),
        smile=rng.beta(1.2, 2.0),
        mouth=max(0.0, rng.normal(-0.1, 0.25)),
    )


def animate_pose(rng: np.random.Generator, pose: Pose, frames: int) -> list[Pose]:
    """Draw the poses of a clip: `pose` drifts and turns smoothly, and may blink.

    Args:
        rng: a NumPy generator.
        pose: the mean Pose.
        frames: number of pictures, 25 a second.
    """
    time = np.arange(frames) / 25  # seconds

    def sway(size):
        return size * sum(
            rng.normal() * (np.sin(2 * np.pi * (rate * time + rng.random()))) for rate in rng.uniform(0.1, 0.9, 2)
        )

    x, y, yaw, pitch, roll, smile, mouth = (sway(s) for s in (5.0, 3.0, 0.1, 0.04, 0.03, 0.2, 0.15))
    blink = np.exp(-(((time - rng.uniform(-1, 3)) / 0.08) ** 2))
    return [
        replace(
            pose,
            centre=pose.centre + (x[i], y[i]),
            yaw=pose.yaw + yaw[i],
            pitch=pose.pitch + pitch[i],
            roll=pose.roll + roll[i],
            lids=pose.lids * (1 - blink[i]),
            smile=np.clip(pose.smile + smile[i], 0, 1),
            mouth=max(0.0, pose.mouth + mouth[i]),
        )
        for i in range(frames)
    ]


def _hair_colour(rng, dark, age):
    if dark:
        return HAIR_COLOURS[rng.integers(2)]
    return _interpolate(rng, HAIR_COLOURS[:6] if age < 0.65 else HAIR_COLOURS[1:])


def _interpolate(rng, colours):
    position = rng.uniform(0, len(colours) - 1)
    low = int(position)
    return colours[low] + (position - low) * (colours[low + 1] - colours[low])
