import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / ".ci"))
from audit import NOT_AUDITED, report

SAFE = {"name": "safe", "version": "1", "vulns": []}
SKIPPED = {"name": "skipped", "skip_reason": "not found"}
WEAK = {"name": "weak", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}


def test_an_audit_that_could_look_nothing_up_says_so(capsys):
    for packages in ([], [SKIPPED] * 3, [SAFE, SKIPPED, SKIPPED]):
        assert report(packages) == NOT_AUDITED
        assert capsys.readouterr().out.startswith("NOT AUDITED: ")


def test_what_is_known_is_named_and_fails(capsys):
    assert report([SAFE, WEAK]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "weak 2: CVE-1, mended in 3",
        "audited: 2 of 2 packages, 1 known weaknesses",
    ]
    assert report([WEAK, SKIPPED, SKIPPED]) == 1
    assert report([SAFE, SAFE, SKIPPED]) == 0
