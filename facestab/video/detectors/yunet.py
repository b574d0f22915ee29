"""OpenCV's YuNet (Wu et al. 2023), with a model file of the user's."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facestab.errors import FacestabError
from facestab.video.faces import Face


class YunetDetector:
    """Faces of about 10 pixels and more at most angles.

    Args:
        model: the ONNX file, such as face_detection_yunet_2023mar.onnx of OpenCV's model zoo.
        min_score: faces below are left out, 0..1.

    Raises:
        ValueError: for a score outside 0..1.
        FacestabError: when the file is missing, or no such model.
    """

    def __init__(self, model: str, min_score: float = 0.7) -> None:
        if not 0 <= min_score <= 1:
            raise ValueError(f"detector.min_score: 0 to 1 is possible, got {min_score}")
        self.model = Path(model)
        self.min_score = min_score
        if not self.model.is_file():
            raise FacestabError(f"{model}: no such file; detector.detector.model is YuNet's ONNX file")
        try:
            self._net = cv2.FaceDetectorYN.create(str(self.model), "", (320, 320), min_score)
        except cv2.error as error:
            raise FacestabError(f"{model}: OpenCV cannot load it as YuNet ({_first_line(error)})") from None

    def settings(self) -> dict[str, Any]:
        """What decides the result."""
        return {"detector": "yunet", "model": self.model.name, "min_score": self.min_score}

    def __call__(self, frame_HWC: np.ndarray, index: int) -> list[Face]:
        """The faces of a frame."""
        height, width = frame_HWC.shape[:2]
        self._net.setInputSize((width, height))
        _, found = self._net.detect(cv2.cvtColor(frame_HWC, cv2.COLOR_RGB2BGR))
        if found is None:
            return []
        # x, y, width, height, five landmarks, score
        return [Face(*map(float, (f[0], f[1], f[0] + f[2], f[1] + f[3], f[14]))) for f in found]

    def __reduce__(self) -> tuple[type["YunetDetector"], tuple[str, float]]:
        return YunetDetector, (str(self.model), self.min_score)


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
