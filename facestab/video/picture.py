"""Images of any kind as RGB, with the values that a person sees."""

import numpy as np
from PIL import Image, ImageOps

# those whose EXIF says how the camera was held, without reading the pixels
_HELD = ("JPEG", "MPO", "TIFF", "WEBP")
_ORIENTATION = 0x0112


def is_turned(image: Image.Image) -> bool:
    """Whether the EXIF of a photograph turns it by 90 degrees."""
    return image.format in _HELD and image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)


def to_rgb(image: Image.Image) -> np.ndarray:
    """uint8 (H, W, 3): upright as EXIF says, grey and palettes as colours, without alpha, 16 bits as 8.

    Raises:
        ValueError: for values whose range nobody knows: floating point, or more than 16 bits.
    """
    upright = ImageOps.exif_transpose(image) if image.format in _HELD else image
    if upright.mode.startswith("I"):
        return np.repeat(_eight_bits(np.asarray(upright))[..., None], 3, axis=-1)
    if upright.mode == "F":
        raise ValueError("its values are floating point; save it with 8 or 16 bits")
    # straight to RGB, a palette with transparent entries warns
    through = "RGBA" if upright.mode == "P" and "transparency" in upright.info else upright.mode
    return np.array(upright.convert(through).convert("RGB"))


def _eight_bits(grey_HW: np.ndarray) -> np.ndarray:
    if grey_HW.min() < 0 or grey_HW.max() > 65535:
        raise ValueError("its values have more than 16 bits; save it with 8 or 16")
    return (grey_HW >> 8).astype(np.uint8)
