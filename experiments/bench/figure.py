"""Draws the ratios of results.json: python experiments/bench/figure.py."""

import json

import numpy as np
from matplotlib.figure import Figure
from turns import RESULTS

# what each ratio has to reach, by what its name holds
ASKED = {
    "/ eager": 3.5,
    "prediction / bare forward": 0.90,
    "prediction without probabilities / bare forward": 0.90,
    "labelling / bare forward": 0.93,
    "/ plain script": 1.8,
    "image stage / by hand": 0.95,
    "temporal stage / by hand": 0.95,
}


def main() -> None:
    """Write figure.png."""
    known = json.loads(RESULTS.read_text())
    found = {name: values for part in known.values() for name, values in part.get("ratios", {}).items()}
    figure = Figure(figsize=(9, 0.4 * len(found) + 1), layout="constrained")
    axes = figure.add_subplot()
    for place, (name, values) in enumerate(reversed(found.items())):
        middle = float(np.median(values))
        axes.plot([min(values), max(values)], [place, place], color="0.6", linewidth=3)
        axes.plot(middle, place, "o", color="tab:blue")
        asked = next((goal for part, goal in ASKED.items() if part in name), None)
        if asked is not None:
            axes.plot(asked, place, "|", color="tab:red", markersize=14)
    axes.set_yticks(range(len(found)), list(reversed(found)), fontsize="x-small")
    axes.set(xscale="log", xlabel="ratio; red: asked for; grey: all rounds")
    axes.grid(alpha=0.3, which="both")
    figure.savefig(RESULTS.with_name("figure.png"), dpi=120)


if __name__ == "__main__":
    main()
