"""What the inputs and outputs of a network's graph are called."""

# uint8 (N, H, W, 3) RGB
INPUT = "frames"
# float32 (N, K, H, W)
OUTPUT = "logits"
