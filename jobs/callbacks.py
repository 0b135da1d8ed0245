"""Callbacks: addresses that are told when a job has ended, and the outbox of what is still to be told.

A job's callbacks wait beside it; its end moves them into the outbox in the same step (`jobs/transitions.py`), so that
none is lost whichever process ends the job. Whoever sends takes an entry for a while; if it dies, another tries again.
"""

import base64
import hashlib
import hmac
import ipaddress
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis import Redis

from jobs.errors import WrongValue
from jobs.events import PREFIX

LONGEST = 2000  # characters
PAUSES = (5, 30, 120, 600, 1800, 7200, 21600)  # seconds after each failed try; after the last one no more is tried
HELD = 60  # seconds that a sender keeps an entry to itself
OUTBOX, TRIES = f"{PREFIX}webhooks", f"{PREFIX}webhook-tries"

# ARGV: now, until when it is held, how many. Answers entries that are due, each followed by how often it was taken.
_TAKE = """
local taken = {}
for _, entry in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])) do
  redis.call('ZADD', KEYS[1], ARGV[2], entry)
  taken[#taken + 1] = entry
  taken[#taken + 1] = redis.call('HINCRBY', KEYS[2], entry, 1)
end
return taken
"""


@dataclass(frozen=True, slots=True)
class Due:
    """Something to be told: of which job, to whom, for the how-many-th time."""

    entry: str  # as the outbox holds it
    job: str
    url: str
    tries: int

    @property
    def id(self) -> str:
        """What the receiver knows it by, the same at every try."""
        return f"msg_{hashlib.sha256(self.entry.encode()).hexdigest()[:32]}"


class Outbox:
    """What is still to be told."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self._take = redis.register_script(_TAKE)

    def take(self, now: float, most: int) -> list[Due]:
        """Return what is due, and keep it from other senders for a while."""
        answer: Any = self._take(keys=[OUTBOX, TRIES], args=[now, now + HELD, most])
        pairs = zip(answer[::2], answer[1::2], strict=True)
        return [_due(str(entry, "utf-8"), int(tries)) for entry, tries in pairs]

    def done(self, due: Due) -> None:
        """Forget it: it was told, or never will be."""
        with self.redis.pipeline() as pipeline:
            pipeline.zrem(OUTBOX, due.entry)
            pipeline.hdel(TRIES, due.entry)
            pipeline.execute()

    def again(self, due: Due, now: float) -> bool:
        """Put it off after a failed try; False when that was the last."""
        if due.tries > len(PAUSES):
            self.done(due)
            return False
        self.redis.zadd(OUTBOX, {due.entry: now + PAUSES[due.tries - 1]})
        return True

    def refused_for_good(self, url: str, seconds: int) -> None:
        """Remember an address that wants no more."""
        self.redis.set(_gone(url), 1, ex=seconds)

    def is_refused(self, url: str) -> bool:
        """Whether an address has said that it wants no more."""
        return bool(self.redis.exists(_gone(url)))

    def waiting(self) -> int:
        """Return how much is still to be told."""
        return self.redis.zcard(OUTBOX)


def checked_callback(said: Any) -> str:
    """Return an address that may be told, as far as its text says; where its name leads is looked at when it is told.

    Raises:
        WrongValue: it is no https address, or one of a machine that is not in public.

    """
    if not isinstance(said, str) or not 0 < len(said) <= LONGEST or not said.isascii() or not said.isprintable():
        raise WrongValue.for_field("callback", f"expected an https address of at most {LONGEST} characters")
    try:
        parts = urlsplit(said)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise WrongValue.for_field("callback", f"expected an https address, got {said!r:.80}") from None
    if parts.scheme != "https" or not host or " " in said or parts.username is not None or parts.password is not None:
        raise WrongValue.for_field("callback", f"expected https://HOST/…, without a user's name, got {said!r:.80}")
    literal = _literal(host)
    private = host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
    if private or (literal is not None and not is_public(literal)):
        raise WrongValue.for_field("callback", f"{host} is not in public, and nothing is ever sent there")
    return said


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the open internet: not private, loopback, link-local, or one that wraps such."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inside = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            inside.append(ipaddress.IPv4Address(ip.packed[-4:]))
        if any(one is not None and not is_public(str(one)) for one in inside):
            return False
        if ip.ipv4_mapped is not None:
            return True  # what it wraps is public, as was just found
        if ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified


def _literal(host: str) -> str | None:
    """Return the IP address that a host is, also in the old spellings: 2130706433, 0x7f.1, 0177.0.0.1."""
    try:
        return str(ipaddress.ip_address(host.split("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the `webhook-signature` of a message.

    Source: Standard Webhooks, "Signature scheme": HMAC-SHA256 over `id.timestamp.body`, base64, marked `v1`.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()}"


class Secrets:
    """Each owner's own signing secret, drawn from one file, so that nobody can sign for anybody else."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def of(self, owner: str) -> bytes:
        """Return the 32 bytes that an owner's messages are signed with."""
        return hmac.new(self._root(), f"webhook:{owner}".encode(), hashlib.sha256).digest()

    def told(self, owner: str) -> str:
        """Return the secret as receivers take it."""
        return f"whsec_{base64.b64encode(self.of(owner)).decode()}"

    def _root(self) -> bytes:
        """Return the file's content, made when it is first wanted; of two processes that make it, one wins."""
        try:
            root = self.path.read_bytes()
        except FileNotFoundError:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_name(f".{self.path.name}-{secrets.token_hex(8)}")
            fresh.touch(mode=0o600)
            fresh.write_bytes(secrets.token_bytes(32))
            try:
                self.path.hardlink_to(fresh)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
            root = self.path.read_bytes()
        if len(root) < 32:
            raise ValueError(f"the webhook secret in {self.path} has {len(root)} bytes, expected 32 or more")
        return root


def _due(entry: str, tries: int) -> Due:
    job, _, url = entry.split(" ", 2)
    return Due(entry, job, url, tries)


def _gone(url: str) -> str:
    return f"{PREFIX}webhook-gone:{hashlib.sha256(url.encode()).hexdigest()}"
