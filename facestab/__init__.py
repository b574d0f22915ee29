"""facestab: make an image segmentation network stable on video, at no cost per frame."""
