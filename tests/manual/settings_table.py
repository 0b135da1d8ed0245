"""The table of settings in docs/operations.md, from `jobs/settings.py`: none can be missing, and no default be old."""

from pathlib import Path

from jobs.settings import Settings, variable_of

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
BEGIN, END = "<!-- settings: written by `make manual` -->\n", "<!-- /settings -->\n"


def table() -> str:
    rows = ["| variable | unless set | |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        assert field.description, f"{name} has no description in jobs/settings.py"
        rows.append(f"| `{variable_of(name)}` | {said(field.default)} | {field.description.replace('|', '/')} |")
    return "\n".join(rows) + "\n"


def said(default: object) -> str:
    """A default as one would write it; a size in bytes also in MiB, which can be read."""
    if default is None or default == "":
        return "–"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, int) and default >= 2**20 and default % 2**20 == 0:
        return f"{default} ({default // 2**20} Mi)"
    return f"{default:g}" if isinstance(default, float) else f"{default}"


def written(page: str) -> str:
    """The page with its table as it should be."""
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    assert found, f"{PAGE} has no place for the table of settings"
    return f"{before}{BEGIN}{table()}{END}{after}"


def write() -> None:
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
