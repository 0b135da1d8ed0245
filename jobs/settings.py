"""Where Twofold runs: one variable each, `TWOFOLD_REDIS_URL` and so on, read at a process's edge and passed inwards."""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import (
    AfterValidator,
    AliasChoices,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobs.bucket_store import check_url as check_bucket_url
from jobs.errors import ConfigurationError

PREFIX = "TWOFOLD_"
# Variables that are no settings: the asking commands read the first two, docker compose the next three, the tests the
# others, and all who begin with TEST_.
ELSEWHERE = ("URL", "KEY", "MODELS", "QUEUE_MEMORY", "GPU", "REQUIRE_DATA", "SCREENSHOTS")
SECRET = frozenset({"redis_url"})
Folder = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]


class Settings(BaseSettings):
    """Deployment settings. What a model or a training run is does not belong here."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", populate_by_name=True)

    redis_password_file: Folder | None = Field(
        None, description="a file with the password of redis_url, so that it need not stand in the environment"
    )
    redis_url: str | None = Field(
        None, description="redis://, rediss:// or unix:// address; none starts the embedded server"
    )
    data_dir: Folder = Field(Path("var"), description="artifacts, and the embedded server's files")
    artifact_url: str | None = Field(
        None,
        description="s3://BUCKET/PREFIX for uploads and results, with ?endpoint=… for a server of your own; "
        "none: a folder in data_dir",
    )
    models_dir: Folder | None = Field(
        None, description="the user's own models, beside the shipped ones; else data_dir/models"
    )
    default_model: str = Field("faces-vae", description="the model that answers where a request names none")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where workers compute; auto: an NVIDIA GPU if there is one, else the CPU"
    )

    log_format: Literal["text", "json"] = Field(
        "text", description="of the logs: for people, or one JSON object a line"
    )
    otlp_endpoint: str | None = Field(
        None,
        validation_alias=AliasChoices("TWOFOLD_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        description="http(s) address of an OpenTelemetry collector that traces are sent to; none: no traces",
    )

    host: str = Field("127.0.0.1", description="address that the API listens on; beyond loopback only with keys")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8000, description="port that the API listens on; 0 takes a free one"
    )
    insecure: bool = Field(False, description="listen beyond loopback although there are no keys")
    published_on_loopback: bool = Field(
        False,
        description="in a container: listen beyond loopback, for only the host's loopback leads here, and refuse "
        "callers as on loopback",
    )
    keys_file: Folder | None = Field(
        None, description="who may come in, as `twofold keys` writes it; else data_dir/keys.json"
    )
    key_max_jobs: PositiveInt = Field(
        20, description="jobs that one key may have waiting or running, unless the key says otherwise"
    )
    key_upload_max_bytes: PositiveInt | None = Field(
        None, description="bytes of one request with a key, unless the key says otherwise; none: upload_max_bytes"
    )
    webhook_secret_file: Folder | None = Field(
        None, description="32 random bytes or more that callbacks are signed with; else data_dir/webhook-secret"
    )
    cors_origins: str = Field(
        "", description="origins whose pages may use the API, as https://a.example,https://b.example; none by default"
    )
    wait_max: PositiveFloat = Field(60, description="seconds a request may wait for its job, whatever it asks for")

    upload_max_bytes: PositiveInt = Field(512 * 2**20, description="bytes of one request, of all its files together")
    upload_idle_timeout: PositiveFloat = Field(20, description="seconds without a byte before an upload is given up")
    upload_min_rate: PositiveInt = Field(
        4096, description="bytes/s an upload must average once it lasts longer than the idle timeout"
    )
    min_free_bytes: Annotated[int, Field(ge=0)] = Field(
        256 * 2**20, description="disk space that uploads and results leave free"
    )

    max_clip_frames: PositiveInt = Field(4096, description="frames of one clip, after start, end and stride")
    max_frame_pixels: PositiveInt = Field(4096 * 4096, description="pixels of one frame, as it lies in the file")
    decode_timeout: PositiveFloat = Field(120, description="seconds to decode one clip")
    job_timeout: PositiveInt = Field(900, description="seconds of work before a job fails")

    training: bool = Field(
        False, description="answer POST /train, and run a worker that learns models from people's clips"
    )
    train_max_minutes: PositiveFloat = Field(120, description="minutes that one training may ask for")

    queue_limit: PositiveInt = Field(100, description="jobs that may wait in each queue")
    worker_threads: PositiveInt | None = Field(
        None, description="threads of a worker's network; none: all cores but one for video, one for latent queries"
    )
    lease_seconds: PositiveFloat = Field(45, description="a job whose worker is silent this long is taken back")
    max_attempts: PositiveInt = Field(3, description="times that a job is begun whose workers die")
    result_ttl: PositiveInt = Field(
        24 * 3600, description="seconds that a finished job, its events and its results live"
    )

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, said: str) -> str:
        for origin in filter(None, map(str.strip, said.split(","))):
            if not re.fullmatch(r"https?://(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?", origin):
                raise ValueError(f"expected origins such as https://a.example, without a path or *, got {origin!r:.80}")
        return said

    @field_validator("artifact_url")
    @classmethod
    def _names_a_bucket(cls, url: str | None) -> str | None:
        if url is not None:
            check_bucket_url(url)
        return url

    @field_validator("redis_url")
    @classmethod
    def _with_its_password(cls, url: str | None, info: ValidationInfo) -> str | None:
        file = info.data.get("redis_password_file")
        if url is None or file is None:
            return url
        try:
            password = file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError(f"its password cannot be read from {file}: {error.strerror}") from error
        if not password:
            raise ValueError(f"its password should stand in {file}, which is empty")
        parts = urlsplit(url)
        if parts.password is not None:
            return url  # as a child process gets it
        user, _, host = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()

    @property
    def artifact_dir(self) -> Path:
        """The folder of uploads and results, where no bucket has them."""
        return self.data_dir / "artifacts"

    @property
    def incoming_dir(self) -> Path:
        """The folder of what is on its way to a bucket, or from there."""
        return self.data_dir / "incoming"

    @property
    def own_models_dir(self) -> Path:
        """The folder of the user's own models; it need not exist."""
        return self.models_dir or self.data_dir / "models"

    @property
    def own_keys_file(self) -> Path:
        """The file of keys; where it is, nobody comes in without one."""
        return self.keys_file or self.data_dir / "keys.json"

    @property
    def own_webhook_secret_file(self) -> Path:
        """The file that every owner's signing secret is drawn from; made when it is first needed."""
        return self.webhook_secret_file or self.data_dir / "webhook-secret"

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins that CORS lets in."""
        return tuple(origin.strip() for origin in self.cors_origins.split(",") if origin.strip())

    def timeout_of(self, queue: str) -> int:
        """The seconds of work after which a job of this queue fails: a training may take a half longer than asked."""
        if queue == "training":
            return round(1.5 * 60 * self.train_max_minutes) + self.job_timeout
        return self.job_timeout

    def environment(self) -> dict[str, str]:
        """Return this process's environment with these settings in it, for a child process that is to share them."""
        said = {name: value for name, value in self.model_dump(mode="json").items() if value is not None}
        return {**os.environ, **{variable_of(name): str(value) for name, value in said.items()}}


def variable_of(setting: str) -> str:
    """Return the name of a setting's environment variable."""
    return f"{PREFIX}{setting.upper()}"


def variables() -> Mapping[str, str]:
    """Return the environment variables that are for Twofold, by their names in capitals: they may be written small."""
    return {name.upper(): value for name, value in os.environ.items() if name.upper().startswith(PREFIX)}


def refuse_unknown_variables() -> None:
    """Let no variable be misspelt in silence.

    Raises:
        ConfigurationError: the environment has one that begins with TWOFOLD_ and means nothing.

    """
    known = [name.upper() for name in (*Settings.model_fields, *ELSEWHERE)]
    names = sorted(name.removeprefix(PREFIX) for name in variables())
    unknown = [f"{PREFIX}{name}{_meant(name, known)}" for name in names if name not in known and name[:5] != "TEST_"]
    if unknown:
        raise ConfigurationError(
            f"unknown environment variable: {', '.join(unknown)}. Correct it or unset it; `twofold config` then shows "
            "all there are"
        )


def _meant(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f" (did you mean {PREFIX}{near[0]}?)" if near else ""


def read_settings(**said: Any) -> Settings:
    """Return the environment's settings, with what is said above them: what every process begins with.

    Raises:
        ConfigurationError: one of them is wrong, or a variable is unknown; it is named as the variable that it is.

    """
    refuse_unknown_variables()
    try:
        return Settings(**said)
    except ValidationError as error:
        raise ConfigurationError("; ".join(map(_told, error.errors()))) from None


def _told(wrong: Any) -> str:
    name = "_".join(map(str, wrong["loc"]))
    message = str(wrong["msg"]).removeprefix("Value error, ")
    got = "" if name in SECRET or ", got " in message else f", got {str(wrong['input'])!r:.80}"
    return f"{variable_of(name)}: {message}{got}"
