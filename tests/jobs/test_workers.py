"""Announcements of warm workers: they die with whoever makes them."""

import time

from jobs.workers import WarmWorker, announce, announced, withdraw


def test_a_worker_is_warm_as_long_as_it_says_so(store):
    first = WarmWorker("a", "batch", "cpu", {"m": "sha256:1"})
    second = WarmWorker("b", "interactive", "cuda", {})
    announce(store.redis, first, 10)
    announce(store.redis, second, 0.1)
    assert announced(store.redis) == [first, second]
    time.sleep(0.15)
    assert announced(store.redis) == [first]
    withdraw(store.redis, "a")
    assert announced(store.redis) == []
    assert store.redis.scard("twofold:workers") == 0
