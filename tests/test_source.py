"""What the source must not do, whoever changes it."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "facestab").rglob("*.py"))
NODES = [(str(path.relative_to(ROOT)), node) for path in FILES for node in ast.walk(ast.parse(path.read_text()))]
# they run what they are given
FORBIDDEN = {
    *(
        "eval",
        "exec",
        "compile",
        "__import__",
        "os.system",
        "os.popen",
        "pickle.load",
        "pickle.loads",
        "pickle.Unpickler",
    ),
    *("subprocess.getoutput", "subprocess.getstatusoutput", "yaml.load", "yaml.unsafe_load", "yaml.full_load"),
    *("torch.jit.load", "torch.hub.load", "torch.package.PackageImporter", "shutil.unpack_archive"),
}
# pickles in other clothes, and archives whose entries may lead anywhere
MODULES = {"cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "tarfile", "zipfile", "pty", "commands"}


def dotted(node):
    return ast.unparse(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""


def calls(*names):
    """Place and node of every call of these; "*.name" is any object's method."""
    found = []
    for path, node in NODES:
        name = dotted(node.func) if isinstance(node, ast.Call) else ""
        if name and (name in names or f"*.{name.rpartition('.')[2]}" in names):
            found.append((f"{path}:{node.lineno}", node))
    return found


def keywords(call):
    return {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}


def test_nothing_runs_text():
    assert [place for place, _ in calls(*FORBIDDEN)] == []
    assert len(calls("print")) > 3, "calls are found at all"


def test_no_shell_is_started():
    for place, call in calls(
        "*.run", "*.Popen", "*.call", "*.check_output", "*.check_call", "*.create_subprocess_shell"
    ):
        assert "shell" not in keywords(call), place
    assert calls("*.create_subprocess_shell") == []


def test_no_module_that_unpacks_is_used():
    imported = [
        (path, alias.name.partition(".")[0])
        for path, node in NODES
        if isinstance(node, ast.Import)
        for alias in node.names
    ]
    imported += [(path, node.module.partition(".")[0]) for path, node in NODES if _is_from(node)]
    assert [found for found in imported if found[1] in MODULES] == []
    names = [alias.name for _, node in NODES if _is_from(node) and node.module == "pickle" for alias in node.names]
    assert set(names) <= {"UnpicklingError", "PickleError", "PicklingError"}
    assert not [found for found in imported if found[1] == "pickle" and not set(names)]


def _is_from(node):
    return isinstance(node, ast.ImportFrom) and node.module is not None


def test_checkpoints_are_read_as_weights_only():
    assert len(calls("torch.load")) >= 2
    for place, call in calls("torch.load", "*.load_from_checkpoint"):
        assert keywords(call).get("weights_only") == "True", place
    for place, call in calls("*.fit", "*.validate", "*.test", "*.predict"):
        given = keywords(call)
        assert "ckpt_path" not in given or given.get("weights_only") == "True", place
    for place, call in calls("np.load", "numpy.load"):
        assert "allow_pickle" not in keywords(call), place


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("instantiate", "facestab/build.py"),
        ("get_object", "facestab/trust.py"),
        ("Image.open", "facestab/video/frame_folder.py"),
        ("onnxruntime.InferenceSession", "facestab/engines/session.py"),
    ],
)
def test_what_needs_a_guard_is_called_in_one_place(name, place):
    assert {found.partition(":")[0] for found, _ in calls(name)} == {place}


def test_containers_are_read_through_one_door_and_named_as_files():
    readers = [place for place, call in calls("av.open") if len(call.args) < 2]
    assert len(readers) == 1
    assert readers[0].startswith("facestab/video/container.py")
    for place, call in calls("av.open"):
        # what keeps nothing has no name
        assert ast.unparse(call.args[0]).startswith(("url(", "_Nowhere(")), place


def test_the_page_marks_nothing_as_safe_but_its_own_files():
    text = (ROOT / "facestab" / "report" / "page.html.j2").read_text()
    assert sorted(re.findall(r"(\w+) \| safe", text)) == ["script", "style"]
    assert "autoescape false" not in text
    for name in ("page.js", "players.js"):
        script = (ROOT / "facestab" / "report" / name).read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", script)
