"""`twofold config`: every setting, its value, and where that came from."""

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import typer

from twofold.options import AsJson
from twofold.said import KEY, settings_with

if TYPE_CHECKING:
    from jobs.settings import Settings

DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as it holds here; of a secret its value tells no more than that there is one."""

    name: str
    variable: str
    value: Any
    source: str
    description: str | None


def config(as_json: AsJson = False) -> None:
    """Every setting, its value, and where it came from."""
    found = described(settings_with())
    if as_json:
        typer.echo(json.dumps([asdict(setting) for setting in found]))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("setting", "value", "from", box=None)
    for setting in found:
        said = setting.source != DEFAULT
        value = "none" if setting.value is None else str(setting.value)
        table.add_row(setting.name, value, setting.source, style="bold" if said else None)
    console = Console()
    console.print(table, markup=False)
    console.print("Each is set by its name in capitals: TWOFOLD_REDIS_URL; --json also says what each means.")


def described(settings: "Settings") -> list[Setting]:
    """Return the settings of this process, the asking commands' two among them, in the order of their definition."""
    from jobs.settings import Settings, variable_of, variables
    from twofold.connection import DEFAULT_URL

    said = variables()
    # What stands in for a setting that has none of its own.
    instead = {
        "models_dir": settings.own_models_dir,
        "keys_file": settings.own_keys_file,
        "webhook_secret_file": settings.own_webhook_secret_file,
        "key_upload_max_bytes": settings.key_upload_max_bytes or settings.upload_max_bytes,
    }
    values = {**settings.model_dump(mode="json"), **{name: _plain(value) for name, value in instead.items()}}
    if settings.redis_url is not None:
        values["redis_url"] = without_password(settings.redis_url)
    asking = {
        "url": (said.get("TWOFOLD_URL", DEFAULT_URL), "the server that is asked, unless --url names another"),
        "key": ("***" if KEY.get() else None, "who asks, where a server has keys; or --key"),
    }

    def setting(name: str, value: Any, description: str | None) -> Setting:
        variable = variable_of(name)
        source = variable if variable in said else DEFAULT
        if name == "key" and KEY.get() not in (None, said.get(variable)):
            source = "--key"
        return Setting(name=name, variable=variable, value=value, source=source, description=description)

    fields = Settings.model_fields
    return [
        *(setting(name, values[name], field.description) for name, field in fields.items()),
        *(setting(name, value, description) for name, (value, description) in asking.items()),
    ]


def without_password(url: str) -> str:
    """Return an address with *** in the place of its password, wherever Redis takes one."""
    parts = urlsplit(re.sub(r"(?<=[?&]password=)[^&#]*", "***", url))
    if parts.password is None:
        return parts.geturl()
    user, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user.split(':')[0]}:***@{host}").geturl()


def _plain(value: Any) -> Any:
    return value if isinstance(value, int) else str(value)
