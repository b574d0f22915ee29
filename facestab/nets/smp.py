"""Networks of segmentation_models_pytorch."""

from collections.abc import Mapping
from typing import Any

import segmentation_models_pytorch as smp

from facestab.errors import WeightsError
from facestab.nets.segnet import SegNet


class SmpNet(SegNet):
    """An encoder-decoder of segmentation_models_pytorch.

    Args:
        architecture: Unet, Segformer, FPN ... as `smp.create_model` takes it.
        encoder: the encoder's name there.
        num_classes: K.
        features: "encoder" (deepest map), "decoder", "logits", or the dotted name of any layer.
        encoder_weights: "imagenet" downloads trained weights; null starts from random ones.
        options: further arguments of the architecture.

    Raises:
        ValueError: when the architecture, encoder or layer does not exist.
        WeightsError: when the weights cannot be downloaded.
    """

    def __init__(
        self,
        architecture: str,
        encoder: str,
        num_classes: int,
        features: str = "decoder",
        encoder_weights: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        model = _create(architecture, encoder, num_classes, encoder_weights, dict(options or {}))
        super().__init__(model, features=features, stride=int(model.encoder.output_stride))


def _create(architecture: str, encoder: str, num_classes: int, weights: str | None, options: dict[str, Any]) -> Any:
    try:
        return smp.create_model(
            architecture, encoder_name=encoder, encoder_weights=weights, in_channels=3, classes=num_classes, **options
        )
    except KeyError as error:
        raise ValueError(f"encoder='{encoder}', encoder_weights='{weights}': {error.args[0]}") from None
    except OSError as error:
        raise WeightsError(
            f"the {weights} weights of {encoder} could not be downloaded ({type(error).__name__}); connect to the "
            "network once, so that they are cached, or train from random weights with net.encoder_weights=null"
        ) from error
