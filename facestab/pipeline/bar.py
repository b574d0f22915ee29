"""Lightning's rich progress bar, in training only."""

from typing import Any

from lightning.pytorch.callbacks import RichProgressBar


class TrainingBar(RichProgressBar):
    """Leaves prediction to the bars of the video inference callback, which count frames: two live displays collide."""

    def on_predict_start(self, *args: Any) -> None:
        """No bar."""

    def on_predict_batch_start(self, *args: Any) -> None:
        """No bar."""

    def on_predict_batch_end(self, *args: Any) -> None:
        """No bar."""

    def on_predict_end(self, *args: Any) -> None:
        """No bar."""
