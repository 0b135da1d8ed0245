"""The API's description as a golden file: a change of the contract shows as a change of this file.

Written anew, to be read as a diff, by `python tests/service/test_openapi.py`.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from jobs.settings import Settings
from service.app import create_app

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "openapi.json"


def described() -> str:
    with TemporaryDirectory() as folder:
        schema = create_app(Settings(redis_url="redis://127.0.0.1:1/0", data_dir=folder)).openapi()
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_the_contract_is_the_one_that_was_reviewed():
    assert described() == GOLDEN.read_text(encoding="utf-8")


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(described(), encoding="utf-8")
