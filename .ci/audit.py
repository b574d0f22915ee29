"""`make audit`: are known weaknesses in the packages that are installed? Says so where nobody could tell.

pip-audit ends well when it has found nothing, also where it could look nothing up.
Exit code 0: audited, nothing known. 1: something is known. 3: not audited.
"""

import json
import subprocess
import sys

NOT_AUDITED = 3


def main() -> int:
    """Run pip-audit on this environment, and read its answer."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--skip-editable"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reason = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        print(f"NOT AUDITED: pip-audit cannot reach its database ({reason[:200]})")
        return NOT_AUDITED
    return report(packages)


def report(packages: list[dict]) -> int:
    """Print what is known of some packages, as pip-audit lists them."""
    audited = [package for package in packages if "vulns" in package]
    for package in audited:
        for known in package["vulns"]:
            mended = ", ".join(known.get("fix_versions", [])) or "no version yet"
            print(f"{package['name']} {package['version']}: {known['id']}, mended in {mended}")
    num_known = sum(len(package["vulns"]) for package in audited)
    if len(audited) * 2 < len(packages) or not packages:
        print(f"NOT AUDITED: pip-audit could look up {len(audited)} of {len(packages)} packages")
        return 1 if num_known else NOT_AUDITED
    print(f"audited: {len(audited)} of {len(packages)} packages, {num_known} known weaknesses")
    return 1 if num_known else 0


if __name__ == "__main__":
    sys.exit(main())
