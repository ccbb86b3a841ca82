"""Hair: long hair behind the neck, the cap of strands over the skull, and the beard."""

import cv2
import numpy as np

from data_prep.drawing.canvas import SIZE, curve, ellipse, polygon_mask
from data_prep.drawing.head import GRID

HAIR_LENGTHS = {"long": 2.7, "bob": 1.35}  # lower end of the hair, in half face widths below the eyes
SHADOW = (0.12, 0.08, 0.06)
EXTRA_VOLUME = {"curly": 0.22, "cropped": -0.02, "receding": -0.02, "tied": -0.02}  # added to the volume of the person
SIDEBURN_LENGTHS = {"long": 1.9, "bob": 1.2, "tied": -0.05, "fringe": 0.9, "cropped": 0.0}


def hair_texture(head):
    """Return the colour of the hair over the canvas, float32 (SIZE, SIZE, 3): strands run down from the crown."""
    person = head.person
    rng = np.random.default_rng(person.texture + 3)
    points = head.coordinates(GRID)  # (128, 128, 2)
    x, y = points[..., 0], points[..., 1]
    part = 0.5 * person.parting * np.clip(-y - 0.4, 0, 1)
    meridian = (x - part) / np.sqrt(np.clip(1 - (np.minimum(y + 0.1, 0) / 1.75) ** 2, 0.03, None))
    curl = 0.16 if person.hair_style == "curly" else rng.uniform(0.0, 0.035)
    wave = rng.uniform(3, 9) * (2 if person.hair_style == "curly" else 1)
    meridian = meridian + curl * np.sin(wave * y + 5 * meridian + rng.uniform(0, 6))
    coarse = cv2.GaussianBlur(rng.standard_normal((48, 1024), dtype=np.float32), (0, 0), sigmaX=1.2, sigmaY=5)
    meridian, x, y = (cv2.resize(m.astype(np.float32), (SIZE, SIZE)) for m in (meridian, x, y))
    u, v = meridian * 120 + 512, y * 9 + 24
    strands = cv2.remap(coarse, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    locks = cv2.remap(coarse, u * 0.17 + 300, v * 0.6, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    band = np.exp(-0.5 * ((y + 0.95 + 0.25 * x * x) / 0.2) ** 2) + 0.4 * np.exp(-0.5 * ((y - 0.6) / 0.35) ** 2)
    tone = np.clip(0.88 + 0.85 * strands + 1.0 * locks, 0.35, 1.8)
    shine = band * np.clip(0.5 + 3 * strands, 0, 2)
    return cv2.merge([c * tone + (0.05 + 0.1 * c) * shine for c in person.hair.astype(np.float32)])


def paint_back_hair(canvas, head, strands):
    """Paint long hair behind neck and ears, before these are painted."""
    person = head.person
    if person.hair_style not in HAIR_LENGTHS:
        return
    low, out = HAIR_LENGTHS[person.hair_style], 1.12 + person.volume
    half = [(0.5, -1.5), (out - 0.08, -1.0), (out, 0.0), (out + 0.1, 0.8), (out + 0.05, low - 0.3), (out - 0.35, low)]
    shape = np.array(half + [(-x, y) for x, y in half[::-1]])
    canvas.fill(_curve_in_plane(head, shape, -0.25), strands * 0.6, softness=0.8)


def paint_hair(canvas, head, strands):
    """Paint the cap of hair from the hairline over the skull, and its shadow on the forehead."""
    person, scale = head.person, head.pose.scale
    if person.hair_style == "bald":
        shave = polygon_mask(_curve_in_plane(head, _cap(person, -0.75, 0.05, 0.005), 0.0), 0.1 * scale)
        canvas.blend((slice(None), slice(None)), shave * 0.22 * person.grain, strands)
        return
    if person.hair_style == "tied":
        knot = head.to_pixels([(0.0, -1.72, -0.4)])[0]
        canvas.fill(ellipse(knot, (0.4 * scale, 0.34 * scale)), strands * 0.85, softness=1.0)
    volume = person.volume + EXTRA_VOLUME.get(person.hair_style, 0.04)
    down = SIDEBURN_LENGTHS.get(person.hair_style, 0.12)
    outline = _cap(person, person.hairline, down, max(volume, 0.04))
    pixels = _curve_in_plane(head, outline, 0.0, front=True)
    if person.hair_style == "curly":
        rng = np.random.default_rng(person.texture + 4)
        pixels = pixels + np.repeat(rng.normal(0, 0.05 * scale, (len(pixels) // 3 + 1, 2)), 3, axis=0)[: len(pixels)]
    soft = 1.4 if person.hair_style in ("cropped", "receding") else 0.7
    face = polygon_mask(head.to_pixels(curve(head.face_outline(), closed=True)))
    canvas.fill(pixels + (0, 0.06 * scale), SHADOW, 0.3, 0.05 * scale, face)
    ragged = np.clip(1.15 + 1.2 * (strands.mean(axis=-1) / (person.hair.mean() + 1e-3) - 0.9), 0.25, 1)
    canvas.fill(pixels, strands, 0.95, 0.04 * scale, ragged)
    canvas.fill(pixels, strands, 1.0, soft)


def paint_beard(canvas, head, mask):
    """Paint stubble, beard and moustache; mask: (SIZE, SIZE), where the face is."""
    p, scale = head.person, head.pose.scale
    if not (p.beard or p.moustache or p.stubble > 0.1):
        return
    y, low = p.nose_length, p.chin + (0.12 if p.beard else -0.03)
    cheek = [(0.99, 0.35, 0.05), (0.82, 0.62, 0.3), (0.5, 0.95, 0.6), (0.42, 1.24, 0.7), (0.12, 1.2, 0.8)]
    jaw = [(-0.9, 0.95, 0.1), (-0.55, low - 0.18, 0.4), (0, low, 0.6), (0.55, low - 0.18, 0.4), (0.9, 0.95, 0.1)]
    beard = head.to_pixels(curve(cheek + [(-x, *rest) for x, *rest in cheek[::-1]] + jaw, closed=True))
    half = [(0.25, y + 0.13), (0.46, 1.0), (0.42, 1.1), (0.26, 0.95)]
    lip = [(0, y + 0.12), *half, (0, 0.92), *[(-x, y) for x, y in half[::-1]]]
    lip = head.to_pixels(curve(lip, closed=True), 0.08)
    rng = np.random.default_rng(p.texture + 7)
    hairs = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE), dtype=np.float32), (0, 0), sigmaX=0.7, sigmaY=1.6)
    hairs = head.warp_texture(hairs)
    colour = np.clip((p.hair * 0.85).astype(np.float32) * (1 + 0.9 * hairs[..., None]), 0.02, 1)
    if not p.beard:
        shaven = colour * 0.6 + 0.3 * p.skin.astype(np.float32)
        for shape in (beard, lip):
            canvas.fill(shape, shaven, 0.45 * p.stubble, 0.07 * scale, mask)
    thick = np.clip(0.78 + 0.9 * hairs, 0, 1)
    if p.beard:
        canvas.fill(beard, colour, 0.95, 0.05 * scale, thick)
    if p.moustache:
        canvas.fill(lip, colour, 0.95, 0.03 * scale, thick)


def _cap(person, hairline, down, volume):
    """Return control points (n, 2): along the outside of the hair from the left, then back along the hairline."""
    style, part = person.hair_style, person.parting
    wide = 1.0 + volume * 0.85
    outside = [
        (1.0, min(down, 0.3)),
        (1.03 + 0.3 * volume, -0.3),
        (0.93 + 0.9 * volume, -0.9),
        (0.52 + 0.6 * volume, -1.38 - volume * 0.7),
    ]
    if down > 0.5:
        outside = [(wide - 0.12, down), (wide + 0.06, down - 0.35), (wide + 0.04, 0.3)] + outside[1:]
    outside = [(-x, y) for x, y in outside] + [(0, -1.5 - volume)] + outside[::-1]
    temple = [(0.92, min(down, 0.3)), (0.9, -0.2), (0.78, -0.6)]
    if down > 0.5:
        temple = [(0.93, down), (0.9, 0.5)] + temple[1:]
    if style == "fringe":
        line = [(0.72, -0.42), (0.4, -0.4), (0, -0.43), (-0.4, -0.4), (-0.72, -0.42)]
    elif style == "receding":
        line = [(0.72, -0.95), (0.42, -1.22), (0.1, -1.02), (-0.1, -1.02), (-0.42, -1.22), (-0.72, -0.95)]
    elif style in ("parted", "long", "bob"):
        line = [
            (0.55, hairline + 0.12),
            (part + 0.12, hairline - 0.16),
            (part - 0.12, hairline - 0.16),
            (-0.55, hairline + 0.12),
        ]
    else:
        line = [(0.52, hairline), (0.2, hairline - 0.06), (-0.2, hairline - 0.06), (-0.52, hairline)]
    return np.array(outside + temple + line + [(-x, y) for x, y in temple[::-1]])


def _curve_in_plane(head, points, z, front=False):
    """Return the pixels of a closed curve in the plane z, or with `front` on the surface of the forehead."""
    points = curve(points, closed=True, steps=5)
    depth = np.full(len(points), z)
    if front:
        depth = 0.75 * np.sqrt(np.clip(1 - (points[:, 0] / 0.95) ** 2 - (points[:, 1] / 1.35) ** 2, 0, None))
    return head.to_pixels(np.column_stack([points, depth]))
