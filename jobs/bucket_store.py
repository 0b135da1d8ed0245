"""Artifacts in a bucket of S3 or of a server that speaks its protocol, over obstore (`pip install twofold[s3]`).

What comes is first written and hashed in a local folder, for its name, its hash, is known only at its end; then it is
put into the bucket in one step. So the local disk holds what is under way and no more, and the bucket nothing half.
"""

import hashlib
import io
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import parse_qsl, urlsplit

from jobs.artifacts import SHA256, ArtifactStore, Stored, checked_name, told
from jobs.errors import ConfigurationError, StorageUnavailable

if TYPE_CHECKING:
    from obstore.store import S3Store

BUCKET_OPTIONS = frozenset({"endpoint", "region", "virtual_hosted"})  # in a URL's query
CONNECT_TIMEOUT = timedelta(seconds=3)
ANSWER_TIMEOUT = timedelta(seconds=60)  # of one request, which carries a few MiB
PART = 4 * 2**20  # bytes that one request of a reader fetches
LISTED = 1000  # objects of one answer
log = logging.getLogger(__name__)


class BucketStore(ArtifactStore):
    """A bucket of artifacts, `PREFIX/ab/abcdef…`; a call tries again for `patience` seconds before it gives up."""

    def __init__(self, url: str, incoming: Path, min_free_bytes: int = 0, patience: float = 5.0) -> None:
        super().__init__(incoming, min_free_bytes)
        try:
            import obstore
            from obstore.exceptions import BaseError
        except ImportError:
            raise ConfigurationError(
                "TWOFOLD_ARTIFACT_URL names a bucket, which needs obstore: pip install 'twofold[s3]'"
            ) from None
        self._obstore: Any = obstore
        self._failures: tuple[type[Exception], ...] = (BaseError, TimeoutError)
        self._bucket = _connect(url, patience)

    def find(self, sha256: str) -> Stored | None:
        """Ask for the object's head."""
        try:
            with self._telling():
                head = self._obstore.head(self._bucket, _key(sha256))
        except FileNotFoundError:
            return None
        return Stored(sha256, head["size"], head["last_modified"])

    def open(self, sha256: str) -> BinaryIO:
        """Fetch the object into a local file without a name, which goes when it is closed.

        Raises:
            StorageFull: it does not fit here.
            OSError: what came is not what its name says.

        """
        with self._telling():
            answer = self._obstore.get(self._bucket, _key(sha256))
        self.check_space(answer.meta["size"])
        file = tempfile.TemporaryFile(dir=self.incoming)  # noqa: SIM115 - the caller closes it
        try:
            digest = hashlib.sha256()
            for chunk in self._chunks(answer):
                digest.update(chunk)
                file.write(chunk)
            if digest.hexdigest() != sha256:
                raise OSError(f"the object {_key(sha256)} does not have the content that its name says")
            file.seek(0)
        except OSError as error:
            file.close()
            raise told(error) from error
        except BaseException:
            file.close()
            raise
        return cast(BinaryIO, file)

    def reader(self, sha256: str) -> BinaryIO:
        """Open the object where it is; each part is fetched when it is read."""
        with self._telling():
            remote = self._obstore.open_reader(self._bucket, _key(sha256), buffer_size=PART)
        return cast(BinaryIO, _Remote(remote, self._telling))

    def take_in(self, finished: Path, sha256: str) -> None:
        """Put the file into the bucket, in parts where it is large; the object appears when all have come."""
        with self._telling(FileNotFoundError):  # there is no such bucket
            self._obstore.put(self._bucket, _key(sha256), finished)
        finished.unlink(missing_ok=True)

    def delete(self, sha256: str) -> bool:
        """Remove the object; S3 does not say whether it was there."""
        try:
            with self._telling():
                self._obstore.delete(self._bucket, _key(sha256))
        except FileNotFoundError:
            return False  # some servers do say
        return True

    def all(self) -> Iterator[Stored]:
        """List the bucket, a page at a time."""
        with self._telling(FileNotFoundError):
            for page in self._obstore.list(self._bucket, chunk_size=LISTED):
                for found in page:
                    name = found["path"].rpartition("/")[2]
                    if SHA256.fullmatch(name) and found["path"] == _key(name):
                        yield Stored(name, found["size"], found["last_modified"])

    def _chunks(self, answer: Any) -> Iterator[bytes]:
        with self._telling(OSError):
            yield from answer.stream(min_chunk_size=PART)

    @contextmanager
    def _telling(self, *others: type[Exception]) -> Iterator[None]:
        """Turn the library's failures into what an asker may read; the log has their words, which name the server."""
        try:
            yield
        except (*self._failures, *others) as error:
            log.warning("the bucket failed: %s", str(error).partition("Debug source")[0].strip()[:500])
            raise StorageUnavailable(
                "the storage of clips and results does not answer as it should; try again in a few seconds",
                headers={"Retry-After": "5"},
            ) from None


class _Remote(io.RawIOBase):
    """An object's bytes as a file that is read from where one seeks."""

    def __init__(self, remote: Any, telling: Any) -> None:
        super().__init__()
        self._remote, self._telling = remote, telling

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with self._telling(OSError):
            return int(self._remote.seek(offset, whence))

    def tell(self) -> int:
        return int(self._remote.tell())

    def readinto(self, buffer: Any) -> int:
        with self._telling(OSError):
            chunk = bytes(self._remote.read(len(buffer)))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        if not self.closed:
            self._remote.close()
        super().close()


def check_url(url: str) -> None:
    """Make sure that a URL names a bucket.

    Raises:
        ValueError: it does not.

    """
    parts = urlsplit(url)
    expected = "expected s3://BUCKET or s3://BUCKET/PREFIX, with ?endpoint=https://HOST for a server of your own"
    if parts.scheme != "s3" or not parts.hostname or parts.fragment:
        raise ValueError(f"{expected}, got {parts.scheme}://{parts.hostname or ''}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{expected}; credentials belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(options.keys() - BUCKET_OPTIONS):
        raise ValueError(f"{expected}; its query may have {', '.join(sorted(BUCKET_OPTIONS))}, not {unknown[0]!r:.40}")
    if "endpoint" in options and urlsplit(options["endpoint"]).scheme not in ("http", "https"):
        raise ValueError(f"{expected}; the endpoint begins with neither http:// nor https://")


def _connect(url: str, patience: float) -> "S3Store":
    """Return the bucket; whether it is there, the first request tells. What is not said comes from AWS_… variables."""
    from obstore.store import S3Store

    parts = urlsplit(url)
    said = dict(parse_qsl(parts.query))
    chosen: dict[str, Any] = {name: said[name] for name in ("endpoint", "region") if name in said}
    if said.get("virtual_hosted", "").lower() in ("1", "true", "yes"):
        chosen["virtual_hosted_style_request"] = True
    client: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT, "timeout": ANSWER_TIMEOUT}
    if said.get("endpoint", "").startswith("http://"):
        client["allow_http"] = True
    backoff: Any = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=2), "base": 2}
    try:
        return S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            client_options=cast(Any, client),
            retry_config={"backoff": backoff, "max_retries": 50, "retry_timeout": timedelta(seconds=patience)},
            **chosen,
        )
    except Exception as error:  # the library has no one class for what is wrong with a configuration
        raise ConfigurationError(f"TWOFOLD_ARTIFACT_URL cannot be used: {error}") from error


def _key(sha256: str) -> str:
    return f"{checked_name(sha256)[:2]}/{sha256}"
