"""What the world looks like at one time: pose, expression, light, and where the distractors are."""

from dataclasses import dataclass


@dataclass(frozen=True)
class HandPose:
    """Centre of the palm and direction of the fingers: frame heights from the frame's centre (y down), radians."""

    x: float
    y: float
    angle: float


@dataclass(frozen=True)
class State:
    """One moment. Angles are in radians, places in frame heights from the frame's centre, y down.

    Attributes:
        yaw: positive turns the face to image-right; positive `pitch` looks down; positive `roll` tilts clockwise.
        scale: size of the head, in frame heights per head height; the body keeps `body_scale`.
        mouth: opening of the mouth, 0 closed, 1 as wide as this world goes; the jaw follows.
        smile: how far the corners of the mouth stand above their rest place (head heights).
        brow_left: lift of the brow at image-left (head heights).
        eye_left: opening of the eye at image-left, 0 closed, 1 open.
        gaze_x: shift of the irises (head heights).
        pan_x: shift of the background.
        light_azimuth: direction of the light, 0 from the camera, positive from image-right.
        light_elevation: positive from above.
        light_gain: its strength around 1.
        hand: None when no hand is near.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    x: float = 0.0
    y: float = 0.0
    scale: float = 0.65
    body_x: float = 0.0
    body_y: float = 0.0
    body_scale: float = 0.65
    mouth: float = 0.0
    smile: float = 0.0
    brow_left: float = 0.0
    brow_right: float = 0.0
    eye_left: float = 1.0
    eye_right: float = 1.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    pan_x: float = 0.0
    pan_y: float = 0.0
    light_azimuth: float = 0.3
    light_elevation: float = 0.5
    light_gain: float = 1.0
    hand: HandPose | None = None
