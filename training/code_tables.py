"""What is measured of the codes themselves, as tables of the results page and as headline numbers."""

from collections.abc import Mapping
from typing import Any

SCORES = {
    "accuracy": ("action, %", 100, 2),
    "inception_score": ("IS", 1, 3),
    "conditional_entropy": ("H(y\\|x), nats", 1, 3),
    "marginal_entropy": ("H(y), nats", 1, 3),
}

READERS = {"linear": "linear", "mlp": "network"}
CODES = {
    "static": "the static code",
    "dynamic": "one frame's dynamic code",
    "movement": "a clip's dynamic codes, mean and deviation",
}


def code_tables(results: Mapping[str, Any]) -> list[str]:
    """Markdown of all that was measured, in the order in which it is read."""
    tables = []
    if "actions" in results:
        tables.append(actions_table(results["actions"]))
    if "kept" in results:
        tables.append(kept_table(results["kept"]))
    if "consistency" in results:
        tables.append(consistency_table(results["consistency"]))
    tables.append(probe_table(results["probes"], results["probes_mlp"]))
    tables.append(numbers_table(results["dci"], results["mig"]))
    return tables


def code_metrics(results: Mapping[str, Any]) -> dict[str, float]:
    """The headline numbers, shares in [0, 1]."""
    metrics: dict[str, float] = {}
    if "actions" in results:
        moved, stayed = (results["actions"][name] for name in ("dynamic_fixed", "static_fixed"))
        metrics |= {f"drawn_static_{name}": moved[name]["value"] for name in SCORES}
        metrics["drawn_dynamic_static_mean"] = stayed["static_mean"]["value"]
        metrics |= {f"drawn_dynamic_static_{name}": score["value"] for name, score in stayed["static"].items()}
    if "kept" in results:
        metrics["drawn_static_dynamic_all"] = results["kept"]["dynamic_fixed"]["dynamic_all"]["value"]
        metrics["drawn_dynamic_static_mean"] = results["kept"]["static_fixed"]["static_mean"]["value"]
    if "consistency" in results:
        metrics |= {f"again_{name}": value["value"] for name, value in results["consistency"]["swaps"].items()}
    if "probes" in results:
        for reader, probes in (("linear", results["probes"]), ("mlp", results["probes_mlp"])):
            for leak in ("static_from_dynamic", "dynamic_from_static"):
                above = [probe["score"] - probe["chance"] for probe in probes[leak].values()]
                metrics[f"worst_{leak}_{reader}"] = max(above)
    if "classes" in results:
        metrics |= {
            f"{name}_from_{code}_{reader}": probe["score"]
            for reader in READERS
            for code, probes in results["classes"][reader].items()
            for name, probe in probes.items()
        }
    if "dci" in results:
        names = ("disentanglement", "completeness", "static_in_static", "dynamic_in_dynamic")
        metrics |= {f"dci_{name}": results["dci"][name]["value"] for name in names}
        metrics["mig"] = results["mig"]["mean"]["value"]
    return metrics


def spread(score: Mapping[str, float], scale: int, digits: int) -> str:
    """A score with its deviation over passes."""
    return f"{scale * score['value']:.{digits}f} ± {scale * score['std']:.{digits}f}"


def ranged(score: Mapping[str, float], scale: int, digits: int) -> str:
    """A number with its interval, where it has one."""
    told = [f"{scale * score[name]:.{digits}f}" for name in ("value", "low", "high") if name in score]
    return f"{told[0]} ({told[1]} to {told[2]})" if len(told) == 3 else told[0]


def actions_table(measured: Mapping[str, Any]) -> str:
    """The field's protocol, and beside it what the judge reads where nothing is drawn."""
    columns = {
        "dynamic_fixed": "dynamic fixed, static drawn",
        "static_fixed": f"static fixed, dynamic drawn by the {measured['drawn_by']}",
    }
    passes = f"{measured['clips']} held-out clips, {measured['seeds']} passes"

    def row(title: str, of: Any, scale: int, digits: int) -> str:
        drawn = [spread(of(measured[name]), scale, digits) for name in columns]
        given = [f"{scale * of(measured[name])['value']:.{digits}f}" for name in ("reconstructed", "true")]
        return f"| {title} | " + " | ".join(drawn + given) + " |"

    lines = [
        f"| read by the judge of clips: {passes} | "
        + " | ".join(columns.values())
        + " | reconstructions | true clips |",
        "|---|---|---|---|---|",
        *(row(title, lambda part, name=name: part[name], scale, n) for name, (title, scale, n) in SCORES.items()),
        row("static attributes, mean, %", lambda part: part["static_mean"], 100, 2),
        *(
            row(f"{name}, %", lambda part, name=name: part["static"][name], 100, 2)
            for name in measured["true"]["static"]
        ),
    ]
    right, kept = measured["dynamic_fixed"]["accuracy"], measured["static_fixed"]["static_mean"]
    lines += [
        "",
        f"95 % over identities: actions kept {ranged(right, 100, 2)} %, "
        f"static attributes kept {ranged(kept, 100, 2)} %.",
    ]
    return "\n".join(lines)


def kept_table(measured: Mapping[str, Any]) -> str:
    """Single pictures, where the data set has no protocol of its own."""
    moved, stayed = measured["dynamic_fixed"], measured["static_fixed"]
    lines = [
        f"| read by the judge, %: {measured['seeds']} passes | dynamic fixed, static drawn "
        f"| static fixed, dynamic drawn by the {measured['drawn_by']} |",
        "|---|---|---|",
    ]
    titles = {
        "static_mean": "static factors, mean",
        "static_all": "all static factors at once",
        "dynamic_all": "all dynamic factors at once",
    }
    lines += [
        f"| {titles.get(name, name)} | {spread(moved[name], 100, 1)} | {spread(stayed[name], 100, 1)} |"
        for name in moved
    ]
    return "\n".join(lines)


def consistency_table(measured: Mapping[str, Any]) -> str:
    """What comes back when a swap is encoded."""
    swaps, own = measured["swaps"], measured["reconstructions"]
    rows = {
        "static_distance": ("distance of the static code", 1, 3, ""),
        "static_found": (
            f"its own is the nearest of {measured['identities']}, %",
            100,
            1,
            f"{100 / measured['identities']:.1f}",
        ),
        "dynamic_distance": ("distance of the dynamic codes", 1, 3, ""),
        "dynamic_found": (
            f"its own frame is the nearest of {measured['frames']}, %",
            100,
            1,
            f"{100 / measured['frames']:.1f}",
        ),
    }
    few = measured.get("held_out", measured["identities"]) < measured["identities"]
    title = "encoded again" + (f", {measured['held_out']} held out, the others to swap with" if few else "")
    lines = [f"| {title} | swaps | reconstructions | chance |", "|---|---|---|---|"]
    lines += [
        f"| {title} | {ranged(swaps[name], scale, digits)} | {ranged(own[name], scale, digits)} | {chance} |"
        for name, (title, scale, digits, chance) in rows.items()
    ]
    return "\n".join(lines)


def probe_table(linear: Mapping[str, Any], mlp: Mapping[str, Any]) -> str:
    """What readers find in each code; a leak stands in the dynamic code of static factors, and the other way round."""
    codes = {"dynamic": "of the dynamic code", "movement": "of a clip's dynamic codes", "static": "of the static code"}
    codes = {code: title for code, title in codes.items() if f"static_from_{code}" in linear}
    heads = (f"{title}: linear | network" for title in codes.values())
    lines = [
        f"| probes, % right (R² × 100 where chance is 0) | {' | '.join(heads)} | chance |",
        "|---" * (2 * len(codes) + 2) + "|",
    ]
    for kind in ("static", "dynamic"):
        for name in linear[f"{kind}_from_dynamic"]:
            found = [
                f"{100 * probes[part][name]['score']:.1f}" if (part := f"{kind}_from_{code}") in probes else ""
                for code in codes
                for probes in (linear, mlp)
            ]
            parts = {code: linear[f"{kind}_from_{code}"] for code in codes if f"{kind}_from_{code}" in linear}
            chances = {code: f"{100 * probes[name]['chance']:.1f}" for code, probes in parts.items()}
            chance = chances["dynamic"]
            if len(set(chances.values())) > 1:  # they are read from other clips
                chance = ", ".join(f"{share} {codes[code]}" for code, share in chances.items())
            lines.append(f"| {name} ({kind}) | {' | '.join(found)} | {chance} |")
    return "\n".join(lines)


def classes_table(measured: Mapping[str, Any]) -> str:
    """What readers find of each class in the codes of labelled clips."""

    def cell(probe: Mapping[str, float]) -> str:
        return ranged({**probe, "value": probe["score"]}, 100, 1)

    title = f"classes, % right in {measured['clips']} held-out clips, learnt on {measured['training_clips']}"
    lines = [f"| {title} | {' | '.join(READERS.values())} | chance |", "|---" * (len(READERS) + 2) + "|"]
    for name in measured["linear"]["dynamic"]:
        for code, said in CODES.items():
            found = [measured[reader][code][name] for reader in READERS if name in measured[reader][code]]
            if found:
                lines.append(f"| {name}, of {said} | {' | '.join(map(cell, found))} | {100 * found[0]['chance']:.1f} |")
    return "\n".join(lines)


def numbers_table(dci: Mapping[str, Any], mig: Mapping[str, Any]) -> str:
    """DCI and MIG, about single numbers of the codes."""
    lines = [
        "| single numbers of both codes, × 100 | |",
        "|---|---|",
        f"| disentanglement D | {ranged(dci['disentanglement'], 100, 1)} |",
        f"| completeness C | {ranged(dci['completeness'], 100, 1)} |",
        f"| importance for static factors that lies in the static code | {ranged(dci['static_in_static'], 100, 1)} |",
        f"| importance for dynamic factors that lies in the dynamic code "
        f"| {ranged(dci['dynamic_in_dynamic'], 100, 1)} |",
        f"| MIG, mean | {ranged(mig['mean'], 100, 1)} |",
        "",
        "| by factor, × 100 | informativeness I (share right, or R²) | MIG |",
        "|---|---|---|",
    ]
    lines += [
        f"| {name} | {ranged(read, 100, 1)} | {ranged(mig['factors'][name], 100, 1)} |"
        for name, read in dci["informativeness"].items()
    ]
    return "\n".join(lines)
