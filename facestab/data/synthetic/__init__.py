"""The synthetic world: faces by ray casting, with exact classes, flow and occlusion, and no files."""

from facestab.data.synthetic.clip import Clip, Surface
from facestab.data.synthetic.conditions import Conditions
from facestab.data.synthetic.identity import Identity
from facestab.data.synthetic.images import labelled_image
from facestab.data.synthetic.seeds import IDENTITY_SPLITS, identity_seed

__all__ = ["IDENTITY_SPLITS", "Clip", "Conditions", "Identity", "Surface", "identity_seed", "labelled_image"]
