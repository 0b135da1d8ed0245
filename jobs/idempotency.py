"""Idempotency-Key: the same key with the same request is the same job, with another request an error."""

import hashlib
import json
import secrets

from redis import Redis

from jobs.errors import KeyInUse, WrongValue
from jobs.events import PREFIX

LONGEST = 255
READING = 900  # seconds that a request may take to arrive while it holds its key


class Claim:
    """A key while its request is being read: held by this request, or kept from an earlier one."""

    def __init__(self, redis: Redis, owner: str, key: str, kept_for: int) -> None:
        if not 0 < len(key) <= LONGEST or not (key.isascii() and key.isprintable()):
            raise WrongValue.for_field("Idempotency-Key", f"expected 1 to {LONGEST} printable ASCII characters")
        self.redis = redis
        self.kept_for = kept_for
        self.key = place_of(owner, key)
        self._token = f"reading:{secrets.token_hex(8)}".encode()
        self._earlier: dict[str, str] | None = None

    def take(self) -> None:
        """Hold the key.

        Raises:
            KeyInUse: another request that holds it is still being read.

        """
        if self.redis.set(self.key, self._token, nx=True, ex=READING):
            return
        held = self.redis.get(self.key)
        if held is None:
            return self.take()  # it ran out between the two questions
        text = str(held, "utf-8") if isinstance(held, bytes) else held
        if text.startswith("reading:"):
            raise KeyInUse(
                "another request with this Idempotency-Key is being read; ask again when it is done",
                headers={"Retry-After": "2"},
            )
        self._earlier = json.loads(text)

    def earlier_job(self, fingerprint: str) -> str | None:
        """Return the job that the key was kept for, or None.

        Raises:
            WrongValue: the key was kept for another request.

        """
        if self._earlier is None:
            return None
        if self._earlier["fingerprint"] != fingerprint:
            raise WrongValue.for_field("Idempotency-Key", "used before with another request; take a new key")
        return self._earlier["job"]

    def keep(self, fingerprint: str, job_id: str) -> None:
        """Tie the key to its job for as long as results live."""
        self.redis.set(self.key, json.dumps({"fingerprint": fingerprint, "job": job_id}), ex=self.kept_for)

    def release(self) -> None:
        """Let the key go if no job came of its request."""
        if self.redis.get(self.key) == self._token:
            self.redis.delete(self.key)


def is_known(redis: Redis, owner: str, key: str) -> bool:
    """Whether an owner's key is tied to a job already, or held by a request that is being read."""
    return bool(redis.exists(place_of(owner, key)))


def place_of(owner: str, key: str) -> str:
    """Where an owner's key lies in Redis; what was sent is not written there."""
    return f"{PREFIX}idempotency:{hashlib.sha256(f'{owner}:{key}'.encode()).hexdigest()}"
