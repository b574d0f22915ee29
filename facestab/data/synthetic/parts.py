"""The solids of a person, and the layers that they belong to."""

from enum import IntEnum

import numpy as np

from facestab.data.synthetic.chart import FaceChart
from facestab.data.synthetic.identity import Identity
from facestab.data.synthetic.outlines import Curtain, Hairline, Rims, is_hand
from facestab.data.synthetic.solids import Ellipsoid, Frame, Plate, Solid, rotation
from facestab.data.synthetic.state import HandPose, State


class Layer(IntEnum):
    """What a surface point belongs to. It keeps its layer and its material coordinates through time."""

    BACKGROUND = 0
    SKIN = 1
    EYE_LEFT = 2
    EYE_RIGHT = 3
    MOUTH = 4
    EAR = 5
    NOSE = 6
    HAIR = 7
    GLASSES = 8
    NECK = 9
    TORSO = 10
    HAND = 11


class Part(IntEnum):
    """What a ray can hit. The order groups them: skin, other parts of the head, body, hand."""

    NONE = 0
    CRANIUM = 1
    FACE_UPPER = 2
    FACE_LOWER = 3
    EAR = 4
    NOSE = 5
    HAIR = 6
    GLASSES = 7
    NECK = 8
    TORSO = 9
    HAND = 10


PART_LAYERS = np.array([0, 1, 1, 1, 5, 6, 7, 8, 9, 10, 11], np.uint8)
"""Layer of each part; openings in the skin are other layers still."""

JAW_Y = 0.22
"""Head y below which the face stretches when the jaw goes down."""

FRONT_Z = 0.05
"""Head z of the face's widest outline. In front of it the skin has one point over each (x, y), and can move."""

_NECK_PIVOT = np.array([0.0, 0.42, -0.12])


class Placement:
    """The frames of one state: head, body and hand."""

    def __init__(self, state: State) -> None:
        turn_33 = rotation(state.yaw, state.pitch, state.roll)
        place = np.array([state.x, state.y, 0.0]) + state.body_scale * _NECK_PIVOT
        self.head = Frame(turn_33, state.scale, place - state.scale * turn_33 @ _NECK_PIVOT)
        self.body = Frame(np.eye(3), state.body_scale, np.array([state.body_x, state.body_y, 0.0]))
        pose = state.hand or HandPose(9.0, 9.0, 0.0)
        self.hand = Frame(rotation(0.0, 0.0, pose.angle), state.body_scale, np.array([pose.x, pose.y, 0.9]))


class Skull:
    """The ellipsoids that carry the skin, in head coordinates with the jaw closed."""

    def __init__(self, identity: Identity, frame: Frame, stretch: float) -> None:
        top, bottom = -0.46, identity.chin_y
        centre_y, half = (top + bottom) / 2, (bottom - top) / 2
        self.cranium = Ellipsoid(
            Part.CRANIUM, frame, (0, -0.1, -0.06), (identity.cranium_width, 0.40, 0.42), keep=lambda x, y, z: y <= JAW_Y
        )
        self.face_upper = Ellipsoid(
            Part.FACE_UPPER,
            frame,
            (0, centre_y, FRONT_Z),
            (identity.face_width, half, 0.36),
            keep=lambda x, y, z: y <= JAW_Y,
        )
        self.face_lower = Ellipsoid(
            Part.FACE_LOWER,
            frame,
            (0, JAW_Y + (centre_y - JAW_Y) * (1 + stretch), FRONT_Z),
            (identity.face_width, half * (1 + stretch), 0.36),
            keep=lambda x, y, z: y > JAW_Y,
        )

    def height(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Head z of the front of the skin over (x, y), the jaw closed."""
        found: np.ndarray = np.maximum(self.face_upper.near_z(x, y), self.cranium.near_z(x, y))
        return found


def nose_parts(identity: Identity, frame: Frame) -> list[Solid]:
    """Bridge, tip and wings of the nose."""
    width, length, high = identity.nose_width, identity.nose_length, identity.nose_height
    tip_y, front = 0.185 * length, 0.375
    return [
        Ellipsoid(Part.NOSE, frame, (0, 0.105 * length, front + 0.03), (0.043 * width, 0.135, 0.05 * high), tilt=0.28),
        Ellipsoid(Part.NOSE, frame, (0, tip_y, front + 0.05), (0.055 * width, 0.042, 0.062 * high)),
        Ellipsoid(Part.NOSE, frame, (-0.052 * width, tip_y + 0.008, front + 0.01), (0.034, 0.031, 0.05 * high)),
        Ellipsoid(Part.NOSE, frame, (0.052 * width, tip_y + 0.008, front + 0.01), (0.034, 0.031, 0.05 * high)),
    ]


def hair_parts(identity: Identity, frame: Frame) -> list[Solid]:
    """The shell over the cranium, its far side, and hanging hair behind the face."""
    volume = identity.hair_volume
    centre = (0.0, -0.1 - 0.25 * (volume - 1), -0.07)
    axes = (identity.cranium_width * volume, 0.40 * volume, 0.42 * volume)
    keep = Hairline(identity)
    shell: list[Solid] = [
        Ellipsoid(Part.HAIR, frame, centre, axes, keep=keep),
        Ellipsoid(Part.HAIR, frame, centre, axes, is_far_side=True, keep=keep),
    ]
    for x, y, z, size in identity.hair_clumps:
        clump_axes = (size * 1.2, size, size * 1.2)
        shell.append(Ellipsoid(Part.HAIR, frame, (x, y, z), clump_axes, keep=keep))
    if identity.hair_length <= 0:
        return shell
    bottom = identity.hair_length + 0.12
    half = (bottom + 0.45) / 2
    width = identity.cranium_width * volume * (1.02 + 0.12 * identity.curl)
    curtain = Curtain(identity)
    hanging_centre, hanging_axes = (0.0, half - 0.45, -0.17), (width, half, 0.25)
    return [
        *shell,
        Ellipsoid(Part.HAIR, frame, hanging_centre, hanging_axes, keep=curtain.near_side),
        Ellipsoid(Part.HAIR, frame, hanging_centre, hanging_axes, is_far_side=True, keep=curtain.far_side),
    ]


def glasses_parts(identity: Identity, frame: Frame) -> list[Solid]:
    """Two rims and a bridge, in a plane before the eyes."""
    if not identity.has_glasses:
        return []
    eye_x, eye_y, width = identity.eye_x, identity.eye_y, identity.glasses_width

    reach, front = eye_x + 0.14, 0.415
    arms = [
        Ellipsoid(Part.GLASSES, frame, (side * (eye_x + 0.15), eye_y - 0.01, 0.17), (0.030, 0.7 * width, front - 0.17))
        for side in (-1, 1)
    ]
    return [Plate(Part.GLASSES, frame, front, (-reach, reach, eye_y - 0.12, eye_y + 0.12), Rims(identity)), *arms]


def body_parts(frame: Frame) -> list[Solid]:
    """Neck and torso."""
    return [
        Ellipsoid(Part.NECK, frame, (0, 0.60, -0.15), (0.16, 0.46, 0.16)),
        Ellipsoid(Part.TORSO, frame, (0, 1.10, -0.22), (0.72, 0.50, 0.32)),
    ]


def person_parts(identity: Identity, chart: FaceChart, state: State) -> tuple[Placement, Skull, list[Solid]]:
    """Everything that stands before the background at one moment."""
    placement = Placement(state)
    head = placement.head
    skull = Skull(identity, head, jaw_stretch(state))
    ears: list[Solid] = [
        Ellipsoid(Part.EAR, head, (side * (identity.cranium_width - 0.005), 0.05, -0.05), (0.035, 0.095, 0.055))
        for side in (-1, 1)
    ]
    parts: list[Solid] = [*body_parts(placement.body), skull.cranium, skull.face_upper, skull.face_lower, *ears]
    parts += [*nose_parts(identity, head), *hair_parts(identity, head), *glasses_parts(identity, head)]
    if state.hand is not None:
        parts.append(Plate(Part.HAND, placement.hand, 0.0, (-0.2, 0.3, -0.48, 1.7), is_hand))
    return placement, skull, parts


def jaw_stretch(state: State) -> float:
    """Stretch of the face below `JAW_Y`."""
    return 0.2 * state.mouth
