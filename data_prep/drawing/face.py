"""The face itself: skin, ears, eyes, brows, nose, mouth, folds and glasses."""

import cv2
import numpy as np

from data_prep.drawing.canvas import SIZE, curve, ellipse, noise, polygon_mask
from data_prep.drawing.hair import paint_beard
from data_prep.drawing.head import GRID

DARK = np.array((0.10, 0.06, 0.05))
SIDES = (-1, 1)


def skin_texture(head):
    """Return the colour of the skin over the canvas, float32 (SIZE, SIZE, 3): tone, redness, pores, freckles."""
    person = head.person
    rng = np.random.default_rng(person.texture)
    pores = rng.standard_normal((SIZE, SIZE), dtype=np.float32)
    pores = 0.7 * pores + 1.6 * cv2.GaussianBlur(pores, (0, 0), 1.1)
    blotches = noise(rng, (9, 9))
    sheet = np.dstack([1 + 0.018 * blotches + 0.045 * person.grain * pores, 0.25 * blotches])
    tone, red = cv2.split(head.warp_texture(sheet))
    warm = np.zeros(GRID.shape[:2], dtype=np.float32)
    for x, y, size in ((-0.58, 0.48, 0.28), (0.58, 0.48, 0.28), (0, person.nose_length - 0.05, 0.16), (0, 1.45, 0.2)):
        away = (GRID - head.to_pixels([(x, y)])[0].astype(np.float32)) / np.float32(size * head.pose.scale)
        warm += np.exp(-0.5 * (away[..., 0] ** 2 + away[..., 1] ** 2))
    red = np.clip(red + cv2.resize(warm, (SIZE, SIZE)), 0, 1.5)
    channels = [t * tone * (1 - u * red) for t, u in zip(person.skin, (0.01, 0.09, 0.08), strict=True)]
    if person.freckles:
        spots = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE), dtype=np.float32), (0, 0), 1.3)
        spots = head.warp_texture(np.clip(spots * 4 - 1.1, 0, 1))
        channels = [c * (1 - u * spots) for c, u in zip(channels, (0.18, 0.28, 0.32), strict=True)]
    return cv2.merge([c.astype(np.float32) for c in channels])


def paint_face(canvas, head, skin, gloss):
    """Paint the face with all its parts; gloss: (SIZE, SIZE, 3), added where the skin shines."""
    outline = head.to_pixels(curve(head.face_outline(), closed=True))
    mask = polygon_mask(outline, 0.5)
    canvas.fill(outline, skin, softness=0.5)
    canvas.pixels += mask[..., None] * gloss
    _folds(canvas, head, mask)
    for side in SIDES:
        _eye(canvas, head, side)
    _nose(canvas, head)
    _mouth(canvas, head)
    paint_beard(canvas, head, mask)
    for side in SIDES:
        _brow(canvas, head, side)


def paint_ears(canvas, head, skin):
    """Paint the ears; the face, painted later, hides the far one."""
    for side in SIDES:
        shape = [(0.93, -0.12), (1.06, -0.2), (1.17, -0.08), (1.16, 0.2), (1.07, 0.45), (1.0, 0.62), (0.92, 0.55)]
        inner = [(1.0, -0.06), (1.08, -0.1), (1.11, 0.05), (1.09, 0.2), (1.02, 0.36)]
        canvas.fill(_side_curve(head, shape, side, -0.12, closed=True), skin * 0.93, softness=0.6)
        canvas.stroke(_side_curve(head, inner, side, -0.12), 0.06 * head.pose.scale, head.person.skin * 0.55, 0.6, 0.9)
        canvas.fill(ellipse(head.to_pixels([(side * 1.02, 0.2, -0.1)])[0], (2.5, 4)), head.person.skin * 0.4, 0.5, 1.4)


def paint_glasses(canvas, head):
    """Paint frames and a faint reflection if the person wears glasses."""
    person, scale = head.person, head.pose.scale
    if person.glasses == "none":
        return
    rng = np.random.default_rng(person.texture + 1)
    colour, width = rng.choice([0.05, 0.12, 0.4]) * rng.uniform(0.7, 1.2, 3), rng.uniform(0.035, 0.075) * scale
    radius = (0.33, 0.27 if person.glasses == "round" else 0.2)
    power = 1.0 if person.glasses == "round" else 0.45
    phase = np.linspace(0, 2 * np.pi, 41)
    for side in SIDES:
        x = radius[0] * np.sign(np.cos(phase)) * np.abs(np.cos(phase)) ** power + side * (person.eye_gap + 0.01)
        y = radius[1] * np.sign(np.sin(phase)) * np.abs(np.sin(phase)) ** power + 0.04
        rim = head.to_pixels(np.stack([x, y, np.full_like(x, 0.93)], axis=1))
        canvas.fill(rim, (0.9, 0.95, 1.0), 0.06)
        canvas.stroke(rim + (0.5, 1.5), width, DARK, 0.25, 1.2)
        canvas.stroke(rim, width, colour, softness=0.3)
        arm = np.array([(side * (person.eye_gap + 0.33), 0.0, 0.9), (side * 1.03, -0.06, 0.0)])
        canvas.stroke(head.to_pixels(arm), width, colour, softness=0.3)
    bridge = curve([(-person.eye_gap + 0.31, 0.02, 0.97), (0, -0.05, 1.05), (person.eye_gap - 0.31, 0.02, 0.97)])
    canvas.stroke(head.to_pixels(bridge), width, colour, softness=0.3)


def _side_curve(head, points, side, z=None, closed=False, raised=0.0):
    """Return a curve in pixels through points of the right half of the face, mirrored for side -1."""
    points = curve(points, closed=closed) * (side, 1)
    if z is not None:
        points = np.column_stack([points, np.full(len(points), z)])
    return head.to_pixels(points, raised)


def _lids(head, side):
    """Return control points (n, 2) of the upper and lower lid from inner to outer corner, for the right half."""
    p, opening = head.person, head.pose.lids
    inner, outer = p.eye_gap - p.eye_width, p.eye_gap + p.eye_width
    up, tilt = p.eye_height * 1.25 * opening, p.eye_tilt
    low = min(p.eye_height * 0.75 * (0.35 + 0.65 * opening) * (1 - 0.25 * head.pose.smile), 0.09)
    upper = [
        (inner, 0.025),
        (p.eye_gap - 0.08, -up * 0.85),
        (p.eye_gap + 0.03, -up),
        (p.eye_gap + 0.13, -up * 0.68 - tilt * 0.5),
        (outer, -tilt),
    ]
    lower = [
        (inner, 0.025),
        (p.eye_gap - 0.07, low * 0.9),
        (p.eye_gap + 0.05, low),
        (p.eye_gap + 0.14, low * 0.6 - tilt * 0.4),
        (outer, -tilt),
    ]
    return np.array(upper), np.array(lower)


def _eye(canvas, head, side):
    p, pose, scale = head.person, head.pose, head.pose.scale
    upper, lower = _lids(head, side)
    top, bottom = _side_curve(head, upper, side, raised=0.02), _side_curve(head, lower, side, raised=0.02)
    shadow = p.skin * (0.62, 0.5, 0.48)
    socket = head.to_pixels([(side * (p.eye_gap - 0.02), -0.1)])[0]
    canvas.fill(ellipse(socket, (0.27 * scale, 0.15 * scale), pose.roll), shadow, 0.22 + 0.2 * p.make_up, 0.08 * scale)
    opening = polygon_mask(np.concatenate([top, bottom[::-1]]), 0.4)
    canvas.fill(np.concatenate([top, bottom[::-1]]), (0.86, 0.83, 0.81), softness=0.4)
    look = pose.gaze * (0.09, 0.05)
    centre = head.to_pixels([(side * p.eye_gap + look[0], look[1] - 0.015)], raised=0.02)[0]
    radius = 0.098 * scale
    canvas.fill(ellipse(centre, (radius, radius)), p.iris * 0.45, softness=0.4, limit=opening)
    canvas.fill(ellipse(centre + (0, 0.3), (radius * 0.82, radius * 0.82)), p.iris, softness=0.5, limit=opening)
    canvas.fill(
        ellipse(centre + (0, radius * 0.4), (radius * 0.5, radius * 0.35)), p.iris * 1.5, 0.5, 0.7, limit=opening
    )
    canvas.fill(ellipse(centre, (radius * 0.42, radius * 0.42)), (0.02, 0.02, 0.02), softness=0.3, limit=opening)
    canvas.stroke(top + (0, 1.2), 0.07 * scale, DARK, 0.5, 1.0, limit=opening)
    canvas.fill(ellipse(top[0] + (side * 1.2, 0.2), (1.6, 1.2)), (0.8, 0.5, 0.45), 0.7, 0.5, limit=opening)
    shine = centre + np.array((-0.3, -0.35)) * radius
    canvas.fill(ellipse(shine, (radius * 0.2, radius * 0.2)), (1.2, 1.2, 1.2), 0.9, 0.3, limit=opening)
    lash = np.linspace(0.4, 1, len(top)) ** 0.7 * (0.035 + 0.03 * p.make_up) * scale
    canvas.stroke(top, lash, DARK, 0.85, 0.3)
    canvas.stroke(bottom[4:], 0.02 * scale, shadow * 0.7, 0.5, 0.5)
    crease = _side_curve(head, upper - (0, 0.055), side)
    canvas.stroke(crease, 0.028 * scale, shadow * 0.75, 0.5, 0.7)
    bag = _side_curve(head, lower + (0, 0.1), side)
    canvas.stroke(bag[3:-3], 0.05 * scale, shadow, 0.12 + 0.35 * p.age, 1.6)


def _brow(canvas, head, side):
    p, scale = head.person, head.pose.scale
    inner, outer, y = p.eye_gap - 0.24, p.eye_gap + 0.27, -p.brow_height
    line = [
        (inner, y),
        (p.eye_gap - 0.04, y - 0.02 - p.brow_arch * 0.5),
        (p.eye_gap + 0.12, y - p.brow_arch),
        (outer, y + 0.05),
    ]
    line = _side_curve(head, line, side, raised=0.03)
    width = np.interp(np.linspace(0, 1, len(line)), (0, 0.2, 0.6, 1), (0.6, 1, 0.85, 0.15)) * p.brow_thickness * scale
    colour = np.minimum(p.hair * 0.75, p.skin * 0.6)
    canvas.stroke(line, width, colour, 0.62, 0.9)
    rng = np.random.default_rng(p.texture + 2 + side)
    lean = head.turn[0] * side * 0.045
    up = -head.turn[1] * p.brow_thickness * 0.5
    for index in np.linspace(0, len(line) - 1, 16).astype(int):
        root = line[index] + rng.uniform(-0.6, 0.3) * up * width[index] / width.max()
        canvas.stroke([root, root + lean + up * (0.9 - 1.1 * index / len(line))], 0.8, colour * 0.8, 0.55, 0.3)


def _nose(canvas, head):
    p, scale = head.person, head.pose.scale
    y, width, dark = p.nose_length, p.nose_width, p.skin * (0.42, 0.27, 0.25)
    for side in SIDES:
        nostril = head.to_pixels([(side * width * 0.45, y + 0.015)], raised=0.16)[0]
        canvas.fill(ellipse(nostril, (0.058 * scale, 0.026 * scale), head.pose.roll - side * 0.35), dark, 0.8, 0.7)
        wing = [(width * 0.86, y - 0.13), (width * 1.02, y - 0.05), (width * 0.92, y + 0.03), (width * 0.62, y + 0.045)]
        canvas.stroke(_side_curve(head, wing, side, raised=0.08), 0.03 * scale, dark, 0.32, 0.8)
    under = head.to_pixels(curve([(-width * 0.5, y + 0.05), (0, y + 0.075), (width * 0.5, y + 0.05)]), 0.13)
    canvas.stroke(under, 0.05 * scale, dark, 0.35, 1.2)


def _mouth(canvas, head):
    p, pose, scale = head.person, head.pose, head.pose.scale
    y = 1.0 + 0.35 * (p.nose_length - 0.68)
    wide, lift = p.mouth_width * (1 + 0.16 * pose.smile), 0.1 * pose.smile
    gap = 0.5 * 0.16 * min(pose.mouth, 1.0) + 0.04 * max(0.0, pose.smile - 0.45)
    half = np.array(
        [(0, 0.02 + 0.3 * lift), (0.35, -0.004 + 0.25 * lift), (0.7, -0.005 - 0.2 * lift), (1, -0.025 - lift)]
    )
    across = np.concatenate([half[:0:-1] * (-1, 1), half])
    line = np.stack([across[:, 0] * wide, across[:, 1] + y], axis=1)
    open_by = gap * (1 - np.abs(across[:, 0]) ** 2)
    upper, lower = line - _downward(0.7 * open_by), line + _downward(1.3 * open_by)
    bow = np.array([0, 0.55, 1.05, 0.82, 1.05, 0.55, 0]) * p.upper_lip
    full = np.array([0, 0.72, 0.98, 1.05, 0.98, 0.72, 0]) * p.lower_lip
    lines = {"bow": upper - _downward(bow), "upper": upper, "lower": lower, "full": lower + _downward(full)}
    places = {name: head.to_pixels(curve(points), 0.07) for name, points in lines.items()}
    painted = p.lips * (1 - 0.35 * p.make_up * np.array((0.1, 0.75, 0.6)))
    if gap > 0:
        inside = np.concatenate([places["upper"], places["lower"][::-1]])
        canvas.fill(inside, (0.25, 0.08, 0.08), softness=0.5)
        teeth = np.concatenate([places["upper"], (0.25 * places["upper"] + 0.75 * places["lower"])[::-1]])
        canvas.fill(teeth, (0.88, 0.85, 0.8), 0.9, 0.7, limit=polygon_mask(inside, 0.6))
    canvas.fill(np.concatenate([places["bow"], places["upper"][::-1]]), painted * 0.86, 0.85, 0.7)
    canvas.fill(np.concatenate([places["lower"], places["full"][::-1]]), painted, 0.8, 0.8)
    shine = head.to_pixels([(0.0, y + gap + 0.55 * p.lower_lip)], 0.07)[0]
    canvas.fill(ellipse(shine, (0.14 * scale, 0.025 * scale), pose.roll), (1, 0.9, 0.88), 0.16 + 0.2 * p.make_up, 1.0)
    canvas.stroke(places["upper"], 0.026 * scale, painted * (0.4, 0.3, 0.3), 0.75, 0.5)
    for side in SIDES:
        corner = places["upper"][-1 if side > 0 else 0]
        canvas.fill(ellipse(corner, (0.05 * scale, 0.04 * scale)), p.skin * 0.5, 0.4, 1.3)
    chin = head.to_pixels(curve([(-0.18, y + 0.29), (0, y + 0.26), (0.18, y + 0.29)]), 0.04)
    canvas.stroke(chin, 0.06 * scale, p.skin * 0.6, 0.28, 1.8)


def _downward(lengths):
    return np.stack([np.zeros_like(lengths), lengths], axis=1)


def _folds(canvas, head, mask):
    """Paint the wrinkles of age and the folds of a smile."""
    p, scale, colour = head.person, head.pose.scale, head.person.skin * (0.6, 0.5, 0.48)
    depth = np.clip(0.08 + 0.4 * p.age + 0.3 * head.pose.smile, 0, 0.75)
    for side in SIDES:
        fold = [(p.nose_width + 0.03, p.nose_length - 0.1), (0.36, 0.78), (0.46, 0.98 + 0.05 * p.age), (0.47, 1.08)]
        canvas.stroke(_side_curve(head, fold, side, raised=0.03), 0.045 * scale, colour, depth * 0.75, 1.5, mask)
        for angle in (-0.1, 0.02, 0.14):
            start = p.eye_gap + p.eye_width + 0.05
            foot = [(start, -p.eye_tilt + angle * 0.4), (start + 0.13, -p.eye_tilt + angle * 1.2)]
            canvas.stroke(_side_curve(head, foot, side), 0.02 * scale, colour, 0.5 * max(0.0, p.age - 0.35), 0.6, mask)
    for y in (-0.5, -0.62, -0.74):
        line = [(-0.42, y + 0.03), (-0.2, y), (0, y + 0.02), (0.2, y), (0.42, y + 0.03)]
        canvas.stroke(head.to_pixels(curve(line)), 0.025 * scale, colour, 0.55 * max(0.0, p.age - 0.4), 0.8, mask)
