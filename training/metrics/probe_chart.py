"""The picture of the probes: what readers learn of each factor from each code, beside chance."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

CODES = ("dynamic", "static")
COLOURS = {"linear": "#8fb3d9", "network": "#24507e"}
HEIGHT = 0.38  # of a bar; a factor's two fill most of its row


def probe_chart(linear: Mapping[str, Any], mlp: Mapping[str, Any]) -> bytes:
    """A PNG: a panel a code, a row a factor, a bar a reader with its 95 % interval, and a mark at chance."""
    factors = [(kind, name) for kind in CODES[::-1] for name in linear[f"{kind}_from_dynamic"]]
    figure = Figure(figsize=(9, 0.8 + 0.34 * len(factors)), layout="constrained", dpi=100)
    panels = figure.subplots(1, len(CODES), sharex=True, sharey=True)
    rows = np.arange(len(factors))
    for panel, code in zip(panels, CODES, strict=True):
        for number, (reader, probes) in enumerate({"linear": linear, "network": mlp}.items()):
            found = [probes[f"{kind}_from_{code}"][name] for kind, name in factors]
            shown = np.clip([[probe[part] for part in ("score", "low", "high")] for probe in found], 0, 1).T
            score, low, high = shown
            # A clipped score may lie outside its interval by what was clipped.
            reach = np.clip([score - low, high - score], 0, None)
            panel.barh(
                rows + (number - 0.5) * HEIGHT,
                score,
                HEIGHT,
                color=COLOURS[reader],
                label=reader,
                xerr=reach,
                error_kw={"lw": 0.8, "ecolor": "#444444"},
            )
        chance = [linear[f"{kind}_from_{code}"][name]["chance"] for kind, name in factors]
        panel.plot(chance, rows, "|", color="#c0392b", ms=16, mew=2, label="chance")
        panel.set_title(f"read from the {code} code", fontsize=10)
        panel.set_xlim(0, 1)
        panel.set_xlabel("share right, or R²", fontsize=9)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(rows, [f"{name} ({kind})" for kind, name in factors], fontsize=9)
    panels[0].invert_yaxis()
    figure.legend(*panels[-1].get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
