"""How a talking head moves: smooth wander, speech in phases, blinks, and a hand that passes by at times."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from facestab.data.synthetic.conditions import Conditions
from facestab.data.synthetic.seeds import generator
from facestab.data.synthetic.state import HandPose, State


@dataclass(frozen=True)
class _Wander:
    """A smooth random signal: standard deviation, and its band in Hz."""

    name: str
    spread: float
    low_hz: float = 0.06
    high_hz: float = 0.5


_HEAD = (
    _Wander("yaw", 0.10),
    _Wander("pitch", 0.05),
    _Wander("roll", 0.035),
    _Wander("x", 0.010),
    _Wander("y", 0.006),
)


class Motion:
    """The states of a clip.

    Args:
        keys: seeds of the clip.
        num_frames: at least 1.
        fps: frames per second.
    """

    def __init__(self, keys: tuple[int, ...], num_frames: int, fps: Fraction, conditions: Conditions) -> None:
        self._keys = keys
        self._times_T = np.arange(num_frames) / float(fps)
        self._conditions = conditions
        tracks = self._head_tracks() | self._face_tracks() | self._light_tracks()
        self._hands = self._hand_poses()
        self._states = [
            State(**{name: float(track_T[t]) for name, track_T in tracks.items()}, hand=self._hands[t])
            for t in range(num_frames)
        ]

    def __getitem__(self, t: int) -> State:
        """The state at frame t."""
        return self._states[t]

    def _rng(self, purpose: str) -> np.random.Generator:
        return generator(purpose, *self._keys)

    def _wander(self, track: _Wander) -> np.ndarray:
        rng = self._rng(f"wander {track.name}")
        hertz = np.exp(rng.uniform(np.log(track.low_hz), np.log(track.high_hz), 5))
        weight = hertz**-0.7 * rng.uniform(0.5, 1.0, 5)
        phase = rng.uniform(0, 2 * np.pi, 5)
        waves_T5 = np.sin(2 * np.pi * hertz * self._times_T[:, None] * self._pace + phase)
        found: np.ndarray = track.spread * (waves_T5 @ weight) * np.sqrt(2 / (weight**2).sum())
        return found

    @property
    def _pace(self) -> float:
        return self._conditions.motion

    def _head_tracks(self) -> dict[str, np.ndarray]:
        rng = self._rng("stance")
        tracks = {track.name: self._wander(track) for track in _HEAD}
        tracks["yaw"] = np.clip(tracks["yaw"] + rng.normal(0, 0.15), -0.75, 0.75)
        tracks["pitch"] = tracks["pitch"] + rng.normal(0.02, 0.06) + self._nods()
        tracks["roll"] = tracks["roll"] + rng.normal(0, 0.04)
        scale = rng.uniform(0.58, 0.72)
        tracks["scale"] = scale * (1 + self._wander(_Wander("lean", 0.012, high_hz=0.25)))
        tracks["body_scale"] = np.full_like(self._times_T, scale)
        shake_x, shake_y = (self._wander(_Wander(name, 0.0025, 0.3, 1.2)) for name in ("shake x", "shake y"))
        base_x, base_y = rng.normal(0, 0.04), 0.03 + rng.normal(0, 0.02)
        tracks["body_x"] = base_x + shake_x + 0.5 * tracks["x"]
        tracks["body_y"] = base_y + shake_y + 0.3 * tracks["y"]
        tracks["x"] = base_x + shake_x + tracks["x"]
        tracks["y"] = base_y + shake_y + tracks["y"]
        tracks["pan_x"] = shake_x + self._wander(_Wander("pan x", 0.02, high_hz=0.3))
        tracks["pan_y"] = shake_y + self._wander(_Wander("pan y", 0.008, high_hz=0.3))
        return tracks

    def _nods(self) -> np.ndarray:
        found: np.ndarray = self._speech()[1] * self._wander(_Wander("nod", 0.016, 0.7, 1.8))
        return found

    def _face_tracks(self) -> dict[str, np.ndarray]:
        rng = self._rng("expression")
        mouth_T, voice_T = self._speech()
        lid_T = self._lid()
        base, slack = rng.uniform(0.85, 1.02), self._wander(_Wander("lid", 0.03))
        smile = np.clip(rng.normal(0.004, 0.008) + self._wander(_Wander("smile", 0.006)), -0.012, 0.024)
        raised_T = (
            0.006
            + self._wander(_Wander("brows", 0.007))
            + 0.006 * voice_T * self._wander(_Wander("accent", 1.0, 0.6, 1.5))
        )
        uneven_T = self._wander(_Wander("one brow", 0.002))
        gaze_x, gaze_y = self._gaze()
        open_T = np.clip(base + slack + 2 * np.clip(raised_T - 0.01, 0, 0.02), 0, 1.1) * lid_T
        return {
            "mouth": mouth_T,
            "smile": smile,
            "eye_left": open_T,
            "eye_right": open_T * (1 - 0.03 * np.sin(self._times_T * self._pace)),
            "brow_left": np.clip(raised_T + uneven_T - 0.006 * (1 - lid_T), -0.010, 0.035),
            "brow_right": np.clip(raised_T - uneven_T - 0.006 * (1 - lid_T), -0.010, 0.035),
            "gaze_x": gaze_x,
            "gaze_y": gaze_y,
        }

    def _speech(self) -> tuple[np.ndarray, np.ndarray]:
        """Opening of the mouth, and how far a phase of speech is under way (0 in a pause)."""
        rng = self._rng("speech")
        times_T = self._times_T * min(self._pace, 1.0)
        voice_T, opening_T = np.zeros_like(times_T), np.zeros_like(times_T)
        start = rng.uniform(-1.0, 0.6)
        while start <= times_T[-1]:
            stop = start + rng.uniform(0.8, 2.8)
            rise, fall = (times_T - start) / 0.18, (stop - times_T) / 0.18
            voice_T = np.maximum(voice_T, np.clip(np.minimum(rise, fall), 0, 1))
            begin = start
            while begin < stop:
                length = 1 / rng.uniform(2.0, 5.0)
                share = np.clip((times_T - begin) / length, 0, 1)
                opening_T = np.maximum(opening_T, rng.uniform(0.25, 1.0) * np.sin(np.pi * share) ** 2)
                begin += length
            start = stop + rng.uniform(0.4, 1.4)
        rest = max(rng.uniform(-0.15, 0.1), 0.0)
        return np.maximum(opening_T * voice_T, rest), voice_T

    def _lid(self) -> np.ndarray:
        """Share of the opening that a blink leaves, 1 between blinks."""
        rng = self._rng("blinks")
        times_T = self._times_T * min(self._pace, 1.0)
        lid_T = np.ones_like(times_T)
        begin = rng.uniform(0.1, 1.6)
        while begin <= times_T[-1]:
            length = rng.uniform(0.20, 0.32)
            share = (times_T - begin) / length
            # Lids fall about twice as fast as they rise and rest closed for a moment.
            closing, opening = np.clip(share / 0.30, 0, 1), np.clip((share - 0.46) / 0.54, 0, 1)
            eased = closing * closing * (3 - 2 * closing) - opening * opening * (3 - 2 * opening)
            lid_T = np.minimum(lid_T, 1 - eased)
            begin += length + rng.uniform(1.2, 4.5)
        return lid_T

    def _gaze(self) -> tuple[np.ndarray, np.ndarray]:
        """Irises that rest and jump, with jumps of about 60 ms."""
        rng = self._rng("gaze")
        times_T = self._times_T * min(self._pace, 1.0)
        gaze_2T = np.zeros((2, len(times_T)))
        gaze_2T += rng.normal(0, 0.006, (2, 1))
        begin = rng.uniform(0.2, 2.0)
        while begin <= times_T[-1]:
            target_2 = np.clip(rng.normal(0, (0.013, 0.006)), -0.025, 0.025)
            share_T = np.clip((times_T - begin) / 0.06, 0, 1)
            gaze_2T += share_T * (target_2[:, None] - gaze_2T)
            begin += rng.uniform(0.5, 2.5)
        return gaze_2T[0], gaze_2T[1]

    def _light_tracks(self) -> dict[str, np.ndarray]:
        rng = self._rng("light")
        drift = self._conditions.light_drift
        return {
            "light_azimuth": rng.normal(0, 0.45) + drift * self._wander(_Wander("azimuth", 1.0)),
            "light_elevation": rng.uniform(0.2, 0.8) + 0.6 * drift * self._wander(_Wander("elevation", 1.0)),
            "light_gain": rng.uniform(0.8, 1.15) * np.exp(0.5 * drift * self._wander(_Wander("lamp", 1.0))),
        }

    def _hand_poses(self) -> list[HandPose | None]:
        rng = self._rng("hand")
        is_there = rng.random() < self._conditions.hand
        duration = rng.uniform(1.2, 2.4)
        middle = self._times_T[-1] * rng.uniform(0.25, 0.75)
        side = rng.choice((-1.0, 1.0))
        start_2 = np.array([side * rng.uniform(0.6, 0.85), rng.uniform(0.75, 1.0)])
        goal_2 = np.array([side * rng.uniform(-0.12, 0.2), rng.uniform(0.05, 0.3)])
        lean = -side * rng.uniform(0.3, 0.9)
        share_T = np.clip((self._times_T * min(self._pace, 1.0) - middle) / duration + 0.5, 0, 1)
        reach_T = np.sin(np.pi * share_T) ** 2
        poses: list[HandPose | None] = []
        for reach in reach_T:
            x, y = start_2 + reach * (goal_2 - start_2)
            poses.append(
                HandPose(float(x), float(y), float(lean * (0.7 + 0.3 * reach))) if is_there and reach > 0 else None
            )
        return poses
