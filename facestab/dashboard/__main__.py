"""`python -m facestab.dashboard --entity E --project P`: a Weights & Biases workspace that compares flicker metrics.

It shows every temporal run of the project: flicker against accuracy and motion, what `w` and `threshold` do, videos
before and after, and the curves of training. Runs get there with `logger=wandb`, or `wandb sync` after
`logger=wandb_offline`.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from facestab.errors import FacestabError

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

HINT = "--json PATH writes it without a network"


def make(entity: str, project: str, name: str) -> "Workspace":
    """The workspace, see `dashboard.workspace.build`.

    Raises:
        FacestabError: when the package that describes workspaces is not installed.
    """
    try:
        from facestab.dashboard.workspace import build
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("wandb", "wandb_workspaces"):
            raise
        raise FacestabError(f"{error.name} is missing; install it with: pip install 'facestab[dashboard]'") from error
    return build(entity, project, name)


def write(workspace: "Workspace", path: Path) -> None:
    """Write what saving would send, as JSON; needs no network."""
    part = path.with_name(f"{path.name}.part")
    # the package has no public way to see a workspace that is not saved
    part.write_text(json.dumps(workspace._spec, indent=1) + "\n")
    part.replace(path)


def save(workspace: "Workspace") -> str:
    """Save the workspace as a new view of its project.

    Returns:
        its address.

    Raises:
        FacestabError: without an API key, network, or access to the project.
    """
    try:
        return str(workspace.save().url)
    # what the client raises when a request fails is private and differs between its versions
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FacestabError(f"the workspace was not saved ({HINT}): {reason}") from error


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m facestab.dashboard", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entity", required=True, help="user or team that owns the project")
    parser.add_argument("--project", required=True, help="where the runs were logged")
    parser.add_argument("--name", default="facestab: flicker", help="of the workspace (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the workspace there instead; needs no network")
    arguments = parser.parse_args()
    try:
        workspace = make(arguments.entity, arguments.project, arguments.name)
        if arguments.json is not None:
            write(workspace, arguments.json)
        print(f"dashboard: {arguments.json if arguments.json is not None else save(workspace)}")
    except (FacestabError, OSError) as error:
        sys.exit(f"facestab: error: {error}")


if __name__ == "__main__":
    main()
