"""One drawn face, written in the layout and byte formats of each data set."""

import cv2
import numpy as np
from PIL import Image

SIDE = 64
# around the border between two mask folders of CelebAMask-HQ
NUMBERS = (0, 1999, 2000)
SPLITS = ("train", "val", "test")
# a bright part beside each viewer's side, so that a mirrored picture differs
ELLIPSES = {  # class: centre, half axes
    10: ((32, 26), (23, 23)),
    1: ((32, 36), (17, 22)),
    2: ((24, 26), (5, 1)),
    3: ((41, 25), (4, 1)),
    4: ((25, 31), (4, 2)),
    5: ((40, 31), (3, 2)),
    6: ((32, 38), (3, 5)),
    7: ((32, 46), (6, 2)),
    9: ((32, 50), (6, 2)),
    8: ((32, 48), (4, 1)),
}
COLOURS = np.random.default_rng(1).integers(40, 256, (11, 3)).astype(np.uint8)


def face(shift=0):
    """Labels (64, 64) of face11, and a picture in which each class has its colour."""
    labels = np.zeros((SIDE, SIDE), np.uint8)
    for id, (centre, axes) in ELLIPSES.items():
        cv2.ellipse(labels, (centre[0] + shift, centre[1]), axes, 0, 0, 360, id, -1)
    return COLOURS[labels], labels


FACES = {number: face(shift) for number, shift in zip(NUMBERS, (-3, 0, 4), strict=True)}
# id of face11 to the part of CelebAMask-HQ, whose sides are the person's
PARTS = {
    1: "skin",
    2: "r_brow",
    3: "l_brow",
    4: "r_eye",
    5: "l_eye",
    6: "nose",
    7: "u_lip",
    8: "mouth",
    9: "l_lip",
    10: "hair",
}


def write_rgb_mask(path, mask):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.repeat(255 * mask.astype(np.uint8)[..., None], 3, -1)).save(path)


def write_image(path, image, factor=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    side = factor * SIDE
    image = cv2.resize(image, (side, side), interpolation=cv2.INTER_NEAREST)
    Image.fromarray(image).save(path, quality=95, subsampling=0)


def write_labels(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path)


def celebamask_hq(root, lists=True):
    for number, (image, labels) in FACES.items():
        write_image(root / "CelebA-HQ-img" / f"{number}.jpg", image, factor=2)
        folder = root / "CelebAMask-HQ-mask-anno" / str(number // 2000)
        for id, part in PARTS.items():
            # as the data set: what another part covers belongs to both masks
            mask = labels > 0 if part == "skin" else labels == id
            write_rgb_mask(folder / f"{number:05d}_{part}.png", mask & (labels != 10))
        write_rgb_mask(folder / f"{number:05d}_hair.png", labels == 10)
    if lists:
        lines = ["idx orig_idx orig_file proc_md5 final_md5"]
        originals = {0: 119613, 1999: 162770, 2000: 182637}
        lines += [f"{n}  {original}  {original + 1:06d}.jpg  0a  0b" for n, original in originals.items()]
        (root / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(lines))
        partition = [f"{original + 1:06d}.jpg {split}" for split, original in enumerate(originals.values())]
        (root / "list_eval_partition.txt").write_text("\n".join(partition))
    return root


def helen(root):
    names = ("exemplars", "tuning", "testing")
    for list_name, (number, (image, labels)) in zip(names, FACES.items(), strict=True):
        write_image(root / "images" / f"{number}_1.jpg", image)
        for id in range(11):
            path = root / "labels" / f"{number}_1" / f"{number}_1_lbl{id:02d}.png"
            # at most 200 of 255: the maps of a pixel need not add up
            write_labels(path, (200 * (labels == id)).astype(np.uint8))
        (root / f"{list_name}.txt").write_text(f"1 , {number}_1\n")
    return root


def lapa(root):
    for split, (number, (image, labels)) in zip(SPLITS, FACES.items(), strict=True):
        write_image(root / split / "images" / f"{number}.jpg", image)
        write_labels(root / split / "labels" / f"{number}.png", labels)
        (root / split / "landmarks").mkdir()
        (root / split / "landmarks" / f"{number}.txt").write_text("106\n" + "1.0 2.0\n" * 106)
    return root


def flat(root):
    for split, (number, (image, labels)) in zip(SPLITS, FACES.items(), strict=True):
        write_image(root / split / "images" / f"{number}.jpg", image)
        write_labels(root / split / "labels" / f"{number}.png", labels + 20)
    return root


WRITERS = {"celebamask_hq": celebamask_hq, "helen": helen, "lapa": lapa, "flat": flat}
