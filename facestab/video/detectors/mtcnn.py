"""facenet-pytorch's MTCNN (Zhang et al. 2016), whose weights come with its package."""

from typing import Any

import numpy as np

from facestab.errors import FacestabError
from facestab.video.faces import Face


class MtcnnDetector:
    """Faces at most angles.

    Args:
        min_score: faces below are left out, 0..1.
        smallest: least side of a face's box, in pixels.

    Raises:
        ValueError: for a score outside 0..1 or a side below 1.
        FacestabError: when facenet-pytorch is not installed.
    """

    def __init__(self, min_score: float = 0.9, smallest: int = 20) -> None:
        if not 0 <= min_score <= 1:
            raise ValueError(f"detector.min_score: 0 to 1 is possible, got {min_score}")
        if smallest < 1:
            raise ValueError(f"detector.smallest: at least 1 pixel is needed, got {smallest}")
        try:
            from facenet_pytorch import MTCNN
        except ImportError:
            raise FacestabError(
                "detector=mtcnn: facenet-pytorch is not installed; pip install --no-deps facenet-pytorch (its own "
                "requirements would replace torch)"
            ) from None
        self.min_score = min_score
        self.smallest = smallest
        self._net = MTCNN(keep_all=True, min_face_size=smallest, device="cpu")

    def settings(self) -> dict[str, Any]:
        """What decides the result."""
        return {"detector": "mtcnn", "min_score": self.min_score, "smallest": self.smallest}

    def __call__(self, frame_HWC: np.ndarray, index: int) -> list[Face]:
        """The faces of a frame."""
        boxes, scores = self._net.detect(frame_HWC)
        if boxes is None:
            return []
        faces = (Face(*map(float, (*box, score))) for box, score in zip(boxes, scores, strict=True))
        return [face for face in faces if face.score >= self.min_score]
