"""`twofold keys`: who may use this server. Runs where the server's data lie; a running server hears of it at once."""

import json
from typing import Annotated

import typer

from twofold.options import AsJson
from twofold.said import settings_with

keys = typer.Typer(
    help="Who may use this server: add, list and remove keys.", no_args_is_help=True, add_completion=False
)
Name = Annotated[str, typer.Argument(help="Whose it is; letters, digits and . _ @ -")]


@keys.command()
def add(
    name: Name,
    max_jobs: Annotated[int | None, typer.Option(min=1, help="Jobs at once, other than TWOFOLD_KEY_MAX_JOBS.")] = None,
    max_upload_bytes: Annotated[
        int | None, typer.Option(min=1, help="Bytes a request, other than TWOFOLD_KEY_UPLOAD_MAX_BYTES.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key, and show it this once: only its hash is kept."""
    from jobs.callbacks import Secrets
    from jobs.keys import KeyFile

    settings = settings_with()
    key, secret = KeyFile(settings.own_keys_file).add(name, max_jobs, max_upload_bytes)
    webhook_secret = Secrets(settings.own_webhook_secret_file).told(key.id)
    if as_json:
        typer.echo(json.dumps({"name": name, "key": secret, "webhook_secret": webhook_secret}))
        return
    typer.echo(secret)
    typer.echo(
        f"This is {name}'s key, shown this once. Clients send it as `Authorization: Bearer KEY`; the command line "
        "reads TWOFOLD_KEY. From now on nobody uses this server without a key.",
        err=True,
    )


@keys.command("list")
def show(as_json: AsJson = False) -> None:
    """List the keys: names, limits, when they were made."""
    from rich.console import Console
    from rich.table import Table

    from jobs.keys import KeyFile

    settings = settings_with()
    found = KeyFile(settings.own_keys_file).read()
    if as_json:
        told = [
            {
                "name": key.name,
                "created": key.created.isoformat(),
                "max_jobs": key.max_jobs,
                "max_upload_bytes": key.max_upload_bytes,
            }
            for key in found
        ]
        typer.echo(json.dumps(told))
        return
    if not found:
        typer.echo(f"there are no keys in {settings.own_keys_file}; `twofold keys add NAME` makes one", err=True)
        return
    table = Table("name", "made", "jobs at once", "bytes a request", box=None)
    upload = settings.key_upload_max_bytes or settings.upload_max_bytes
    for key in found:
        limits = (str(key.max_jobs or settings.key_max_jobs), str(key.max_upload_bytes or upload))
        table.add_row(key.name, f"{key.created:%Y-%m-%d %H:%M}", *limits)
    Console().print(table)


@keys.command()
def remove(name: Name, as_json: AsJson = False) -> None:
    """Remove a key: whoever holds it is refused from now on. Its jobs expire as they would have."""
    from jobs.keys import KeyFile

    file = KeyFile(settings_with().own_keys_file)
    file.remove(name)
    left = len(file.read())
    if as_json:
        typer.echo(json.dumps({"name": name, "keys_left": left}))
        return
    typer.echo(f"removed {name}", err=True)
    if not left:
        typer.echo(
            f"That was the last one: nobody is let in until you add another; delete {file.path} and start the server "
            "again to go back to one without keys.",
            err=True,
        )


@keys.command("webhook-secret")
def webhook_secret(
    name: Annotated[str | None, typer.Argument(help="Whose; nobody's where there are no keys.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a key's callbacks are signed with (whsec_…), for whoever checks them."""
    from jobs.callbacks import Secrets
    from jobs.errors import ConfigurationError
    from jobs.keys import LOCAL, KeyFile

    settings = settings_with()
    owner = next((key.id for key in KeyFile(settings.own_keys_file).read() if key.name == name), None)
    if name is not None and owner is None:
        raise ConfigurationError(f"there is no key {name!r:.80}; `twofold keys list` shows those there are")
    secret = Secrets(settings.own_webhook_secret_file).told(owner or LOCAL)
    typer.echo(json.dumps({"name": name, "webhook_secret": secret}) if as_json else secret)
