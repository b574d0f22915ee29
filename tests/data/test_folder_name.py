import os
from pathlib import Path

import pytest

from facestab.data.folder_name import folder_name
from facestab.data.manifest import ListedVideo
from facestab.data.video_folder import VideoFolder, unique_ids
from facestab.errors import FacestabError
from tests.video.barcode import write_clip


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("clip_01.take 2", "clip_01.take 2"),
        ("-rf", "-rf"),
        ("<script>alert(1)<", "<script>alert(1)<"),
        ("\u00fc\u732b a:b", "\u00fc\u732b a:b"),
        (".", "_"),
        ("..", "__"),
        ("...", "___"),
        (".hidden", "_hidden"),
        ("../../x", "___.._x"),
        ("/etc/x", "_etc_x"),
        ("a\\b", "a_b"),
        ("a\0b\nc\x1b[2J", "a_b_c_[2J"),
        ("trailing. ", "trailing__"),
        ("CON", "_CON"),
        ("aux.txt", "_aux.txt"),
        ("console", "console"),
        ("", "_"),
        ("broken\udcff", "broken\ufffd"),
    ],
)
def test_a_name_is_that_of_one_visible_folder(tmp_path, text, name):
    assert folder_name(text) == name
    (tmp_path / name).mkdir()
    assert os.listdir(tmp_path) == [name]
    assert folder_name(name) == name


def test_long_names_are_cut_and_stay_apart(tmp_path):
    names = {folder_name("\u732b" * 200 + end) for end in ("a", "b")}
    assert len(names) == 2
    for name in names:
        assert len(name.encode()) <= 150
        (tmp_path / name).mkdir()
        assert folder_name(name) == name


def test_the_id_of_a_video_stays_in_its_folder(tmp_path):
    paths = ["...mp4", "..mp4", ".hidden.mp4", "a/../../x.mp4", "nul.mp4", "a.mp4", "-a.mp4"]
    ids = unique_ids(tmp_path, [ListedVideo(tmp_path / path) for path in paths])
    assert ids == ["__", "_", "_hidden", "____x", "_nul", "a", "-a"]
    videos = tmp_path / "runs" / "videos"
    assert all((videos / id_).parent == videos and (videos / id_).resolve().parent == videos for id_ in ids)


def test_ids_that_become_the_same_are_numbered(tmp_path):
    listed = [ListedVideo(tmp_path / name) for name in ("a\nb.mp4", "a\tb.mp4", "a_b.mp4")]
    assert len(set(unique_ids(tmp_path, listed))) == 3


@pytest.fixture
def places(tmp_path):
    """lists/ with a clip and links, and a clip outside of it."""
    lists, outside = tmp_path / "lists", tmp_path / "outside"
    for folder in (lists, outside):
        folder.mkdir()
        write_clip(folder / "a.mkv", num_frames=3)
    (lists / "link.mkv").symlink_to(outside / "a.mkv")
    (lists / "linked").symlink_to(outside)
    (lists / "own.mkv").symlink_to("a.mkv")
    return tmp_path


@pytest.mark.parametrize(
    "path",
    ["../outside/a.mkv", "OUTSIDE/a.mkv", "link.mkv", "linked/a.mkv", "linked/../outside/a.mkv", "linked"],
)
@pytest.mark.parametrize("key", ["path", "truth"])
def test_a_list_does_not_lead_out_of_its_folder(places, path, key):
    path = path.replace("OUTSIDE", str(places / "outside"))
    row = {"path": f"path\n{path}\n", "truth": f"path,truth\na.mkv,{path}\n"}[key]
    (places / "lists" / "list.csv").write_text(row)
    with pytest.raises(FacestabError, match=r"list\.csv: line 2: .* leads out of the manifest's folder; video\.root="):
        VideoFolder(str(places / "lists" / "list.csv")).split("all")


def test_a_user_can_name_a_larger_folder(places, monkeypatch):
    monkeypatch.chdir(places)
    rows = ["../outside/a.mkv", str(places / "outside" / "a.mkv"), "link.mkv", "a.mkv", "own.mkv"]
    Path("lists/list.csv").write_text("\n".join(["path", *rows]))
    for root in (".", str(places)):
        items = VideoFolder("lists/list.csv", root=root).split("all")
        names = ["lists__a", "lists__link", "lists__own", "outside__a__1", "outside__a__2"]
        assert sorted(item.id for item in items) == names
    Path("lists/list.csv").write_text("path\n/etc/passwd\n")
    with pytest.raises(FacestabError, match=r"line 2: /etc/passwd leads out of lists, which is video\.root"):
        VideoFolder("lists/list.csv", root="lists").split("all")


@pytest.mark.parametrize("id_", ["..", "../../x", "/x", "a/b", ".hidden", "a\\b", "CON", "x" * 300, "a\x1b[2J"])
def test_an_id_of_a_list_is_a_folders_name(places, id_):
    (places / "lists" / "list.csv").write_text(f"path,id\na.mkv,{id_}\n")
    with pytest.raises(FacestabError, match="line 2: id must be usable as a folder's name"):
        VideoFolder(str(places / "lists" / "list.csv")).split("all")


def test_a_path_with_a_null_character_is_a_line(places):
    (places / "lists" / "list.json").write_text('[{"path": "a\\u0000.mkv"}]')
    with pytest.raises(FacestabError, match=r"list\.json: entry 1: .*null"):
        VideoFolder(str(places / "lists" / "list.json")).split("all")
