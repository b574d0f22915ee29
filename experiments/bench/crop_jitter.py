"""How far a crop moves when nothing moves but the sensor's noise, for every way of following boxes.

Usage, in the checkout: python experiments/bench/crop_jitter.py [--noise 8] [--output results.json]

One portrait, scikit-image's astronaut, is repeated 100 times with fresh noise, and the LBP cascade finds its face in
every frame.
"""

import argparse
from fractions import Fraction
from pathlib import Path

import numpy as np
from skimage import data
from turns import RESULTS, configuration, write

from facestab.build import build
from facestab.data.framing import PATHS, Framer

NUM_FRAMES, FPS = 100, Fraction(25)
# frames that a path which only looks back needs to settle
SETTLED = 25


def noisy(noise: float) -> list[np.ndarray]:
    """The same picture, uint8 (H, W, 3), with other noise each time."""
    generator = np.random.default_rng(0)
    still_HWC = data.astronaut().astype(np.float32)
    noise_NHWC = (noise * generator.standard_normal(still_HWC.shape).astype(np.float32) for _ in range(NUM_FRAMES))
    return [np.clip(still_HWC + one, 0, 255).astype(np.uint8) for one in noise_NHWC]


def make_framer(path: str) -> Framer:
    """The LBP cascade as configured, on every frame."""
    config = configuration("stage=predict", "detector=lbp", f"detector.path={path}", "detector.every=1")
    framer: Framer = build(config.detector)
    return framer


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--noise", type=float, default=8.0, help="standard deviation in grey levels")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    found = make_framer("raw").find(noisy(arguments.noise))
    results: dict[str, object] = {"noise": arguments.noise, "frames": NUM_FRAMES}
    print("standard deviation over frames [px]     x      y   side")
    for path in PATHS:
        squares = make_framer(path).squares(found, FPS)
        places_N3 = np.array([[square.x, square.y, square.side] for (square,) in squares[SETTLED:]])
        results[path] = [round(float(value), 4) for value in places_N3.std(0)]
        print(f"{path:>32}: {'  '.join(f'{value:5.2f}' for value in places_N3.std(0))}")
    write(arguments.output, "crop_jitter", results)


if __name__ == "__main__":
    main()
