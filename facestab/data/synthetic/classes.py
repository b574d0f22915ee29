"""The classes of the synthetic world: those of Helen, sides as the viewer sees them."""

FACE11 = (
    *("background", "skin", "left_brow", "right_brow", "left_eye", "right_eye", "nose"),
    *("upper_lip", "inner_mouth", "lower_lip", "hair"),
)
