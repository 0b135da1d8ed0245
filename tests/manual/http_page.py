"""docs/http.md, from the API's description: what a program reads in /openapi.json, for people."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import service.app  # noqa: F401 - with it every problem is known
from jobs.errors import Problem

ROOT = Path(__file__).parents[2]
GOLDEN, PAGE = ROOT / "tests" / "golden" / "openapi.json", ROOT / "docs" / "http.md"
METHODS = ("get", "post", "delete")
TAGS = {  # in the order in which a newcomer needs them
    "make a job": "Making a job",
    "read a job": "Following a job, reading its result",
    "clips": "Clips that are used more than once",
    "models": "Models",
    "health": "Health",
}
HEAD = """\
<!-- Written by `make manual` from the service's OpenAPI document: change that, not this. -->
# HTTP reference

{description}

The server tells the same at `/openapi.json` (OpenAPI {version}), and shows it to be tried at `/docs`. A client
for your language can be generated from it:

<!-- not run here: tests/end_to_end/test_generated_client.py does it in an environment of its own -->
```sh
pip install openapi-python-client ruff
openapi-python-client generate --url http://127.0.0.1:8000/openapi.json
```

```sh
curl -fsS http://127.0.0.1:8000/openapi.json -o openapi.json
curl -fsS -F video=@clips/face_1.mp4 -H 'Prefer: wait=60' -o result.json 'http://127.0.0.1:8000/encode?format=json'
```

"""


def page() -> str:
    api = json.loads(GOLDEN.read_text(encoding="utf-8"))
    parts = [HEAD.format(description=api["info"]["description"], version=api["openapi"])]
    told = 0
    for tag, title in TAGS.items():
        parts.append(f"## {title}\n\n")
        for path, methods in api["paths"].items():
            for method in METHODS:
                if method in methods and tag in methods[method]["tags"]:
                    parts.append(operation(api, f"{method.upper()} {path}", methods[method]))
                    told += 1
    described = sum(len(methods) for methods in api["paths"].values())
    assert told == described, f"{described - told} operations have a tag or a method that is not known here"
    parts += [forms(api), problems()]
    return "".join(parts).rstrip() + "\n"


def operation(api: dict[str, Any], title: str, said: dict[str, Any]) -> str:
    lines = [f"### {title}", "", *paragraphs(said["description"])]
    body = said.get("requestBody", {})
    if "description" in body:
        lines += [body["description"], ""]
    rows = [
        (f"`{one['name']}`", f"{one['in']}: {told(api, one['schema'])}", one.get("description", ""))
        for one in said.get("parameters", [])
    ]
    for media_type, content in body.get("content", {}).items():
        schema = resolved(api, content["schema"])
        required = schema.get("required", [])
        rows += [
            (
                f"`{name}`" + (" (needed)" if name in required else ""),
                f"{short(media_type)}: {told(api, one)}",
                one.get("description", ""),
            )
            for name, one in schema["properties"].items()
        ]
    if rows:
        lines += [*table(("", "where: what", ""), rows), ""]
    lines += ["Answers: " + "; ".join(answers(said["responses"])) + ".", ""]
    return "\n".join(lines) + "\n"


def answers(responses: dict[str, Any]) -> Iterator[str]:
    """Each good answer with what it carries; problems by their numbers alone, for they are all listed below."""
    for status, one in responses.items():
        if int(status) < 400:
            carried = [form_of(content) for content in one.get("content", {}).items()]
            yield f"**{status}** {one['description']}" + (f" ({', '.join(carried)})" if carried else "")
    yield "problems " + ", ".join(status for status in responses if int(status) >= 400)


def form_of(content: tuple[str, Any]) -> str:
    media_type, said = content
    name = said.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return f"`{media_type}`" + (f" [{name}](#{name.lower()})" if name else "")


def forms(api: dict[str, Any]) -> str:
    """What JSON answers hold."""
    lines = ["## Forms of JSON answers", ""]
    for name, schema in sorted(api["components"]["schemas"].items()):
        lines += [f"### {name}", "", *paragraphs(schema.get("description", ""))]
        rows = [
            (f"`{field}`", told(api, one), one.get("description", "")) for field, one in schema["properties"].items()
        ]
        lines += [*table(("", "", ""), rows), ""]
    return "\n".join(lines) + "\n"


def problems() -> str:
    lines = [
        "## Problems",
        "",
        "Every failure is one of these: the `type` of its body is `/problems/` and the name here; `detail` says what",
        "came, what was expected, and what to do.",
        "",
    ]
    kinds = sorted((kind for kind in Problem.known.values()), key=lambda kind: (kind.status, kind.slug))
    rows = [(f"{kind.status}", f"`{kind.slug}`", first_line(kind.__doc__)) for kind in kinds]
    return "\n".join([*lines, *table(("status", "name", ""), rows)]) + "\n"


def told(api: dict[str, Any], schema: dict[str, Any]) -> str:
    """A schema in a few words: its type, bounds, choices and default."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(told(api, one) for one in schema["anyOf"])
    if "enum" in schema:
        words = " ".join(f"`{json.dumps(one) if one is None else one}`" for one in schema["enum"])
    elif "const" in schema:
        words = f"`{schema['const']}`"
    elif schema.get("format") == "binary":
        words = "file"
    else:
        types = schema.get("type", "any")
        words = " or ".join(types if isinstance(types, list) else [types])
        if "items" in schema:
            words += f" of {told(api, schema['items'])}"
        words += bounds(schema)
    return words + (f", else `{schema['default']}`" if schema.get("default") not in (None, [], "") else "")


def bounds(schema: dict[str, Any]) -> str:
    said = []
    for key, word in (
        ("minimum", "from"),
        ("exclusiveMinimum", "above"),
        ("maximum", "to"),
        ("exclusiveMaximum", "below"),
    ):
        if key in schema:
            said.append(f"{word} {schema[key]:,.12g}")
    if "maxItems" in schema:
        said.append(f"({schema.get('minItems', 0)} to {schema['maxItems']} of them)")
    if "maxLength" in schema:
        said.append(f"at most {schema['maxLength']} characters")
    return f" {' '.join(said)}" if said else ""


def resolved(api: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        found: dict[str, Any] = api["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
    return schema


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in (head, *rows)]
    made = [f"| {' | '.join(row)} |" for row in cells]
    return [made[0], "|" + "---|" * len(head), *made[1:]]


def short(media_type: str) -> str:
    return {"multipart/form-data": "form", "application/json": "JSON"}.get(media_type, media_type)


def paragraphs(text: str) -> list[str]:
    return [text.strip(), ""] if text.strip() else []


def first_line(text: str | None) -> str:
    return " ".join((text or "").strip().split("\n\n")[0].split())


def write() -> None:
    PAGE.write_text(page(), encoding="utf-8")
