"""What surrounds a head: light, background and clothes; and the complete picture."""

from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.drawing.canvas import SIZE, Canvas, curve, noise
from data_prep.drawing.face import paint_ears, paint_face, paint_glasses, skin_texture
from data_prep.drawing.hair import hair_texture, paint_back_hair, paint_hair
from data_prep.drawing.head import Head


@dataclass(frozen=True)
class Scene:
    """Everything in a picture except the person."""

    lamp: np.ndarray  # unit vector towards the main light
    key: np.ndarray  # RGB of the main light
    fill: np.ndarray  # RGB of the ambient light
    shine: float
    background: np.ndarray  # float32 (SIZE, SIZE, 3)
    cloth: np.ndarray  # float32 (SIZE, SIZE, 3)
    collar: str
    shoulders: float


def draw_scene(rng):
    """Draw a random Scene."""
    lamp = np.array([rng.normal(0, 0.55), rng.uniform(-0.75, 0.0), 1.0])
    strength, warmth = rng.uniform(0.6, 0.95), rng.normal(0, 0.035) * np.array((1, 0.1, -1))
    return Scene(
        lamp=lamp / np.linalg.norm(lamp),
        key=strength * (1 + warmth),
        fill=rng.uniform(0.22, 0.48) * (1 - 0.7 * warmth),
        shine=rng.uniform(0.03, 0.16),
        background=_background(rng),
        cloth=_cloth(rng),
        collar=rng.choice(["crew", "vee", "shirt"]),
        shoulders=rng.uniform(1.9, 2.5),
    )


def render(person, pose, scene):
    """Return the clean picture of a person in a scene, float32 (SIZE, SIZE, 3), RGB in [0, 1], without a camera."""
    return paint_head(scene.background.copy(), person, pose, scene, body=True)


def paint_head(picture, person, pose, scene, body=False):
    """Paint a person's head over a picture, which is changed; with `body`, also neck, shoulders, ears and back hair."""
    head = Head(person, pose)
    diffuse, gloss = head.shade(scene.lamp)
    canvas = Canvas(picture, (scene.fill + scene.key * diffuse[..., None]).astype(np.float32))
    skin, strands = skin_texture(head), hair_texture(head)
    if body:
        paint_back_hair(canvas, head, strands)
        _paint_body(canvas, head, scene, skin)
        paint_ears(canvas, head, skin)
    paint_face(canvas, head, skin, (scene.shine * gloss[..., None] * scene.key).astype(np.float32))
    paint_hair(canvas, head, strands)
    paint_glasses(canvas, head)
    return np.clip(canvas.pixels, 0, 1, out=canvas.pixels)


def _paint_body(canvas, head, scene, skin):
    """Paint neck, shoulders and clothes, and the shadow of the chin on the neck."""
    p, pose, scale = head.person, head.pose, head.pose.scale
    root = pose.centre + np.array((0.25 * pose.yaw, 1.35)) * scale
    neck = 0.68 * p.jaw
    base = 1.05

    def to_canvas(points):
        return curve(np.array(points) * scale + root, closed=True)

    sides = [
        (neck * 0.92, -0.6),
        (neck * 0.9, 0.25),
        (neck * 1.15, 0.6),
        (scene.shoulders * 0.75, 0.95),
        (scene.shoulders * 1.2, 2.2),
    ]
    canvas.fill(to_canvas(sides + [(-x, y) for x, y in sides[::-1]]), skin * 0.9, softness=0.6)
    shadow = [(neck, -0.2), (neck * 0.95, 0.4), (0.3, 0.62), (-0.3, 0.62), (-neck * 0.95, 0.4), (-neck, -0.2)]
    canvas.fill(to_canvas(shadow), p.skin * (0.4, 0.32, 0.3), 0.55, 0.12 * scale)
    neckline = {
        "crew": [(0.35, base - 0.14)],
        "shirt": [(0.2, base + 0.2)],
        "vee": [(0.3, base + 0.15), (0.03, base + 0.75)],
    }[scene.collar]
    top = [(neck * 1.12, 0.52)] + neckline
    collar = top + [(-x, y) for x, y in top[::-1]]
    wide = [
        (-neck * 1.5, 0.62),
        (-scene.shoulders * 0.85, 0.95),
        (-scene.shoulders * 1.1, 1.5),
        (-scene.shoulders * 1.2, 3.2),
    ]
    cloth = collar + wide + [(-x, y) for x, y in wide[::-1]]
    canvas.fill(to_canvas(cloth), scene.cloth, softness=0.5)
    canvas.stroke(curve(np.array(collar) * scale + root), 0.09 * scale, scene.cloth * 0.7, 0.8, 0.6)
    if scene.collar == "shirt":
        for side in (-1, 1):
            wing = [
                (side * neck * 1.2, 0.42),
                (side * 0.16, base + 0.2),
                (side * 0.42, base + 0.42),
                (side * (neck + 0.35), 0.75),
            ]
            canvas.fill(np.array(wing) * scale + root + (0, 2), scene.cloth * 0.5, 0.5, 1.5)
            canvas.fill(np.array(wing) * scale + root, scene.cloth * 1.06, softness=0.5)


def _background(rng):
    """Draw a wall, a bokeh of lights, leaves, or shelves, out of focus as in portraits."""
    kind = rng.choice(["wall", "blobs", "leaves", "lines"], p=(0.35, 0.25, 0.2, 0.2))
    low, high = rng.uniform(0.1, 0.85, 3), rng.uniform(0.1, 0.85, 3)
    grey = rng.uniform(0.4, 0.95)
    low, high = grey * low.mean() + (1 - grey) * low, grey * high.mean() + (1 - grey) * high
    ramp = noise(rng, (2, 3))[..., None] * 0.3 + 0.5
    picture = (low + (high - low) * ramp).astype(np.float32)
    if kind == "blobs":
        colours = np.dstack([noise(rng, (7, 7)) for _ in range(3)])
        picture += 0.04 * colours + 0.09 * noise(rng, (12, 12))[..., None]
    elif kind == "leaves":
        leaves = cv2.GaussianBlur(noise(rng, (48, 48)), (0, 0), 3) * 1.5 + noise(rng, (16, 16))
        picture = picture * (0.6, 0.75, 0.5) + (leaves * 0.09)[..., None] * (0.8, 1.0, 0.6)
    elif kind == "lines":
        steps = rng.uniform(-0.25, 0.25, (1, rng.integers(5, 14)) if rng.random() < 0.6 else (rng.integers(4, 9), 1))
        bars = cv2.resize(steps.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)
        picture = picture + cv2.GaussianBlur(bars, (0, 0), rng.uniform(1.5, 5))[..., None]
    plaster = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE), dtype=np.float32), (0, 0), rng.uniform(0.9, 1.8))
    picture = picture + plaster[..., None] * rng.uniform(0.01, 0.05)
    return np.clip(picture, 0.02, 1).astype(np.float32)


def _cloth(rng):
    """Draw fabric: a colour, sometimes striped or checked, with folds and a weave."""
    colour, other = rng.uniform(0.08, 0.8, 3), rng.uniform(0.08, 0.8, 3)
    grey = rng.uniform(0.3, 0.95)
    colour = grey * colour.mean() + (1 - grey) * colour
    position = np.arange(SIZE)
    period = rng.uniform(6, 22)
    stripe = (np.sin(2 * np.pi * position / period) > rng.uniform(-0.3, 0.6)).astype(np.float32)
    kind = rng.choice(["plain", "across", "down", "checked"], p=(0.6, 0.16, 0.1, 0.14))
    share = {
        "plain": np.zeros((SIZE, SIZE), np.float32),
        "across": np.tile(stripe[:, None], (1, SIZE)),
        "down": np.tile(stripe, (SIZE, 1)),
        "checked": 0.5 * (stripe[:, None] + stripe),
    }[kind]
    folds = 1 + 0.08 * noise(rng, (5, 10)) + 0.05 * rng.standard_normal((SIZE, SIZE), dtype=np.float32)
    return ((colour + share[..., None] * (other - colour)) * folds[..., None]).astype(np.float32)
