import numpy as np
import pytest

from facestab.build import build
from facestab.data.images import ImageSplit, LabelledImage, LabelledImages
from facestab.data.loader import make_loader
from facestab.data.transforms import Augmentation

RNG = np.random.default_rng(0)


def video_augmentation(compose_config, name="video"):
    return build(compose_config("stage=image", f"augment={name}", "size=64").augment)


@pytest.fixture
def pair():
    frame = RNG.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    labels = RNG.integers(0, 11, (64, 64)).astype(np.uint8)
    return np.stack([frame, frame]), np.stack([labels, labels])


def test_frames_of_a_pair_share_geometry_and_labels_but_not_noise(compose_config, pair):
    augment = video_augmentation(compose_config)
    for seed in range(10):
        frames, labels = augment.train(*pair, seed)
        np.testing.assert_array_equal(labels[0], labels[1])
        assert np.abs(frames[0].astype(int) - frames[1]).mean() > 1


@pytest.mark.parametrize("name", ["video", "clean", "flip"])
def test_labels_move_with_the_pixels(compose_config, name):
    augment = video_augmentation(compose_config, name)
    rows, columns = np.mgrid[:64, :64]
    labels = (5 * (((rows - 20) ** 2 + (columns - 24) ** 2) < 144)).astype(np.uint8)
    image = np.where(labels[..., None] > 0, 230, 25).astype(np.uint8).repeat(3, 2)
    for seed in range(20):
        frames, moved = augment.train(image[None], labels[None], seed)
        # class 5 becomes 4 in a mirror; noise and blur leave the disc brighter than the rest
        inside = (moved[0] == 5) | (moved[0] == 4)
        bright = frames[0].mean(2) > frames[0].mean(2)[~inside].mean() * 0.5 + frames[0].mean(2)[inside].mean() * 0.5
        assert (bright == inside).mean() > 0.93
        assert set(np.unique(moved)) <= {0, 4, 5}


def test_a_flip_exchanges_sides(face11):
    augment = Augmentation(32, face11, flip=1.0)
    labels = np.zeros((1, 32, 32), np.uint8)
    labels[0, :, 4:8] = 2
    _frames, flipped = augment.train(np.zeros((1, 32, 32, 3), np.uint8), labels, 0)
    assert (flipped[0, :, 24:28] == 3).all()
    assert (flipped == 3).sum() == (labels == 2).sum()


def test_the_seed_decides_everything(compose_config, pair):
    augment = video_augmentation(compose_config)
    first, again, other = (augment.train(*pair, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[0] != other[0]).any()


def test_clean_augmentation_adds_no_noise(compose_config):
    flat = np.full((1, 64, 64, 3), 120, np.uint8), np.zeros((1, 64, 64), np.uint8)
    noisy, clean = (
        max(
            float(video_augmentation(compose_config, name).train(*flat, seed)[0].std((1, 2)).max())
            for seed in range(20)
        )
        for name in ("video", "clean")
    )
    assert clean < 0.5
    assert noisy > 5


def test_any_aspect_becomes_a_square_whose_shorter_side_is_kept(face11):
    augment = Augmentation(32, face11)
    frames = np.zeros((2, 48, 96, 3), np.uint8)
    labels = np.zeros((2, 48, 96), np.uint8)
    labels[:, :, 48:] = 7
    square, moved = augment.evaluate(frames, labels)
    assert square.shape == (2, 32, 32, 3)
    # the middle is kept: half of the columns on either side of the edge
    assert (moved == 7).sum() == moved.size // 2


def test_random_crops_reach_both_ends(face11):
    augment = Augmentation(32, face11)
    labels = np.tile(np.arange(96, dtype=np.uint8), (1, 32, 1))
    starts = {int(augment.train(np.zeros((1, 32, 96, 3), np.uint8), labels, seed)[1][0, 0, 0]) for seed in range(200)}
    assert min(starts) < 4
    assert max(starts) > 60


def test_each_kind_of_damage_is_drawn_for_itself(compose_config):
    augment = video_augmentation(compose_config)
    flat = np.full((1, 64, 64, 3), 120, np.uint8), np.zeros((1, 64, 64), np.uint8)
    untouched = np.mean([(augment.train(*flat, seed)[0] == 120).all() for seed in range(1000)])
    # 0.2 * 0.3 * 0.4 = 2.4 % get neither light nor noise nor compression (blur leaves a flat picture as it is)
    assert 0.005 < untouched < 0.05


def planes_of(labels):
    """The same plane as labels, as float map and as one with values between."""
    return [labels[0].astype(np.float32), labels[0] + np.float32(0.25), labels[0]]


@pytest.mark.parametrize("name", ["video", "clean", "flip"])
@pytest.mark.parametrize("shape", [(64, 64), (90, 64), (100, 140)])
def test_maps_take_the_way_of_the_labels_and_keep_their_values(compose_config, name, shape):
    augment = video_augmentation(compose_config, name)
    # ids without sides, which a flip leaves alone
    labels = RNG.choice(np.array([0, 1, 6, 7, 8, 9, 10], np.uint8), (1, *shape))
    frames = RNG.integers(0, 256, (1, *shape, 3)).astype(np.uint8)
    for seed in range(10):
        _, moved, maps = augment.train_maps(frames, labels, planes_of(labels), seed)
        assert moved.dtype == np.uint8
        assert [plane.dtype for plane in maps] == [np.float32, np.float32, np.uint8]
        for plane, offset in zip(maps, (0, 0.25, 0), strict=True):
            np.testing.assert_array_equal(plane, moved[0] + np.float32(offset))


def test_maps_change_nothing_about_frames_and_labels(compose_config, pair):
    augment = video_augmentation(compose_config)
    frames, labels = pair
    for seed in range(6):
        plain = augment.train(frames, labels, seed)
        with_maps = augment.train_maps(frames, labels, planes_of(labels), seed)
        for one, other in zip(plain, with_maps, strict=False):
            np.testing.assert_array_equal(one, other)


def test_a_mirror_turns_maps_over_and_leaves_their_values(face11):
    labels = np.tile(np.arange(11, dtype=np.uint8).repeat(3)[:32], (1, 32, 1))
    augment = Augmentation(32, face11, flip=1.0)
    _, moved, maps = augment.train_maps(np.zeros((1, 32, 32, 3), np.uint8), labels, [labels[0]], 0)
    np.testing.assert_array_equal(maps[0], labels[0][:, ::-1])
    np.testing.assert_array_equal(moved[0], face11.flip_lut[labels[0][:, ::-1]])


def test_without_chance_maps_are_cut_as_labels_are(face11):
    labels = RNG.integers(0, 11, (1, 48, 96)).astype(np.uint8)
    augment = Augmentation(32, face11, flip=1.0)
    frames = np.zeros((1, 48, 96, 3), np.uint8)
    square, moved, maps = augment.evaluate_maps(frames, labels, planes_of(labels))
    np.testing.assert_array_equal(moved, augment.evaluate(frames, labels)[1])
    assert square.shape == (1, 32, 32, 3)
    for plane, offset in zip(maps, (0, 0.25, 0), strict=True):
        np.testing.assert_array_equal(plane, moved[0] + np.float32(offset))


def test_shape_is_the_geometry_of_training_without_its_damage(compose_config, pair):
    whole, geometry = video_augmentation(compose_config), video_augmentation(compose_config, "clean")
    for seed in range(6):
        frames, labels = whole.shape(*pair, seed)
        np.testing.assert_array_equal(labels, whole.train(*pair, seed)[1])
        np.testing.assert_array_equal(frames[0], frames[1])
        # the two have the same geometry
        np.testing.assert_array_equal(frames, geometry.shape(*pair, seed)[0])


def test_damage_keeps_the_place_of_things_and_follows_its_generator(compose_config, pair, face11):
    augment = video_augmentation(compose_config)
    frame = pair[0][0]
    first, again = (augment.damage(frame, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    rng = np.random.default_rng(1)
    assert len({augment.damage(frame, rng).tobytes() for _ in range(5)}) == 5
    assert first.shape == frame.shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(Augmentation(64, face11).damage(frame, rng), frame)


def test_a_crop_by_chance_keeps_small_parts_more_often_than_chance_would(face11):
    frame, labels = np.zeros((1, 64, 192, 3), np.uint8), np.ones((1, 64, 192), np.uint8)
    labels[0, 30:34, 40:44] = 4
    augment = Augmentation(64, face11)
    lefts, kept = [], 0
    frame[0, :, :, 0] = np.arange(192)
    for seed in range(400):
        pictures, cut = augment.train(frame, labels, seed)
        lefts.append(int(pictures[0, 0, 0, 0]))
        kept += (cut == 4).sum() == 16
    # one square alone would keep it in 41 of 129 places
    alone = 41 / 129
    assert kept / 400 == pytest.approx(1 - (1 - alone) ** 4, abs=0.07)
    # and where there is nothing small, every place is as likely
    plain = [int(augment.train(frame, np.ones_like(labels), seed)[0][0, 0, 0, 0]) for seed in range(400)]
    assert np.mean(plain) == pytest.approx(64, abs=6)
    assert np.std(plain) == pytest.approx(129 / np.sqrt(12), abs=4)


@pytest.mark.parametrize(("size", "flip"), [(8, 0.5), (32, 1.5), (32, -0.1)])
def test_impossible_settings_are_refused(face11, size, flip):
    with pytest.raises(ValueError, match=r"size|flip"):
        Augmentation(size, face11, flip=flip)


class Split(ImageSplit):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        image = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
        return LabelledImage(image, np.full((64, 64), index, np.uint8))


def epoch(augment, num_workers, epoch_number):
    dataset = LabelledImages(Split(), augment, train=True)
    loader = make_loader(dataset, batch_size=3, num_workers=num_workers, seed=0, shuffle=True, trainer=None)
    loader.sampler.set_epoch(epoch_number)
    return np.concatenate([batch.images_BCHW.numpy() for batch in loader])


@pytest.mark.parametrize("num_workers", [1, 2])
def test_workers_see_the_same_augmentation_as_no_workers_and_a_new_one_each_epoch(compose_config, num_workers):
    augment = video_augmentation(compose_config)
    np.testing.assert_array_equal(epoch(augment, 0, 0), epoch(augment, num_workers, 0))
    assert (epoch(augment, 0, 0) != epoch(augment, 0, 1)).any()
