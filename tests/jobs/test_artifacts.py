"""Files by content: whole or not there, and gone when nobody uses them."""

import errno
import hashlib
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.artifacts import Artifact
from jobs.clips import ClipStore
from jobs.errors import StorageFull, StorageUnavailable
from jobs.folder_store import FolderStore
from jobs.sweeper import purge_asked, sweep


def test_a_file_is_named_by_its_content_and_appears_whole(artifacts):
    with artifacts.writer() as writer:
        writer.write(b"hello ")
        assert list(artifacts.all()) == []
        writer.write(b"world")
        artifact = writer.publish()
    assert artifact == Artifact(hashlib.sha256(b"hello world").hexdigest(), 11)
    with artifacts.open(artifact.sha256) as file:
        assert file.read() == b"hello world"
    assert list(artifacts.unfinished()) == []


@settings(max_examples=25)
@given(chunks=st.lists(st.binary(max_size=200), max_size=10))
def test_pieces_make_the_same_artifact_as_the_whole(tmp_path_factory, chunks):
    store = FolderStore(tmp_path_factory.mktemp("store"))
    assert store.write(chunks) == store.write(b"".join(chunks))
    assert len(list(store.all())) == 1


def test_what_is_not_published_is_thrown_away(artifacts):
    with artifacts.writer() as writer:
        writer.write(b"half")
    assert list(artifacts.unfinished()) == []
    assert list(artifacts.all()) == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "A" * 64, "a" * 63, "", "a" * 64 + "\n"])
def test_only_a_sha256_meets_a_path(artifacts, name):
    with pytest.raises(ValueError, match="64 lower-case hex digits"):
        artifacts.path(name)


def test_a_reserve_of_free_space_is_kept(tmp_path):
    with pytest.raises(StorageFull, match="try again later"):
        FolderStore(tmp_path, min_free_bytes=2**62).writer()


def test_a_disk_that_fills_up_meanwhile_is_507_and_leaves_nothing(artifacts):
    with artifacts.writer() as writer:
        writer.file.close()
        writer.file = os.fdopen(os.open("/dev/full", os.O_WRONLY), "wb")
        writer.write(b"x" * 100)
        with pytest.raises(StorageFull):
            writer.publish()
    assert list(artifacts.unfinished()) == []
    assert list(artifacts.all()) == []


def test_another_failure_of_the_disk_is_not_called_full(artifacts, monkeypatch):
    def broken(descriptor):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr("jobs.artifacts.os.fsync", broken)
    with pytest.raises(OSError, match="broken"):
        artifacts.write(b"x")


def age(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_a_sweep_removes_what_is_old_and_unused_and_nothing_else(store, artifacts, submit, ask):
    used, unused, young = (artifacts.write(name) for name in (b"used", b"unused", b"young"))
    request = ask(clip=used.sha256)
    record = store.create_once(store.new_id(), request, "local")
    store.pin(record.id, request.inputs)
    for one in (used, unused):
        age(artifacts.path(one.sha256), 7200)
    abandoned = artifacts.writer()
    age(abandoned.temporary, 7200)
    being_written = artifacts.writer()
    swept = sweep(store.redis, artifacts)
    assert (swept.unfinished, swept.unused) == (1, 1)
    assert [artifacts.exists(one.sha256) for one in (used, unused, young)] == [True, False, True]
    assert list(artifacts.unfinished()) == [being_written.temporary]
    abandoned.discard()
    being_written.discard()


@pytest.mark.parametrize("failure", [PermissionError("somebody else's"), StorageUnavailable("the bucket is away")])
def test_a_file_that_cannot_be_removed_keeps_no_other(store, artifacts, monkeypatch, caplog, failure):
    files = [artifacts.write(bytes([number])) for number in range(4)]
    for one in files:
        age(artifacts.path(one.sha256), 7200)
    first, delete = next(iter(artifacts.all())).sha256, FolderStore.delete

    def refusing(self, sha256):
        if sha256 == first:
            raise failure
        return delete(self, sha256)

    monkeypatch.setattr(FolderStore, "delete", refusing)
    assert sweep(store.redis, artifacts).unused == 3
    assert [one.sha256 for one in artifacts.all()] == [first]
    assert f"files that could not be removed: 1, the first for: {failure}" in caplog.text


def test_a_purge_that_had_to_wait_goes_past_a_file_that_cannot_be_removed(store, artifacts, ask, monkeypatch):
    clips = [artifacts.write(name) for name in (b"one", b"two")]
    for number, clip in enumerate(clips):
        record = store.create_once(store.new_id(), ask(number, clip=clip.sha256), "local")
        store.pin(record.id, record.inputs)
        store.begin(record.id, "e")
        store.request_cancel(record.id, purge=True)
        store.acknowledge_cancel(record.id, "e")
    tried = []

    def refusing(self, sha256):
        tried.append(sha256)
        raise PermissionError("somebody else's")

    monkeypatch.setattr(FolderStore, "delete", refusing)
    purge_asked(store, artifacts)
    assert set(tried) == {clip.sha256 for clip in clips}
    assert store.to_purge() == []


def test_an_unfinished_file_that_cannot_be_removed_keeps_no_other(store, artifacts):
    unused = artifacts.write(b"unused")
    age(artifacts.path(unused.sha256), 7200)
    (artifacts.incoming / "a-folder").mkdir()  # which is no file to unlink
    age(artifacts.incoming / "a-folder", 7200)
    swept = sweep(store.redis, artifacts)
    assert (swept.unfinished, swept.unused) == (0, 1)


def test_a_sweep_gives_a_store_up_that_fails_for_long(store, artifacts, monkeypatch, caplog):
    for one in [artifacts.write(bytes([number])) for number in range(4)]:
        age(artifacts.path(one.sha256), 7200)
    tried = []

    def hanging(self, sha256):
        tried.append(sha256)
        time.sleep(0.05)
        raise StorageUnavailable("the bucket is away")

    monkeypatch.setattr(FolderStore, "delete", hanging)
    monkeypatch.setattr("jobs.sweeper.FAILING_FOR", 0.06)
    with pytest.raises(StorageUnavailable):
        sweep(store.redis, artifacts)
    assert len(tried) == 2
    assert "files that could not be removed: 2" in caplog.text


def test_a_sweep_removes_the_files_of_an_expired_job(store, artifacts, ask):
    clip = artifacts.write(b"clip")
    record = store.create_once(store.new_id(), ask(clip=clip.sha256), "local")
    store.pin(record.id, [clip.sha256])
    age(artifacts.path(clip.sha256), 7200)
    assert sweep(store.redis, artifacts).unused == 0
    store.redis.delete(f"twofold:job:{record.id}")
    store.redis.zadd(f"twofold:uses:{clip.sha256}", {f"job:{record.id}": time.time() - 7200})
    assert sweep(store.redis, artifacts).unused == 1


def test_a_purge_spares_what_another_job_or_clip_uses(store, artifacts, ask):
    shared, own, kept = (artifacts.write(name) for name in (b"shared", b"own", b"kept"))
    ids = []
    for number, inputs in enumerate([(shared, own, kept), (shared,)]):
        record = store.create_once(store.new_id(), ask(number), "local")
        store.pin(record.id, [one.sha256 for one in inputs])
        ids.append(record.id)
    ClipStore(store).pin("local", kept.sha256)
    ClipStore(store).save("local", kept, "MP4")
    for sha256 in (shared.sha256, own.sha256, kept.sha256):
        for user, _ in store.redis.zrange(f"twofold:uses:{sha256}", 0, -1, withscores=True):
            store.redis.zadd(f"twofold:uses:{sha256}", {user: time.time() - 7200})
    store.redis.hset(f"twofold:job:{ids[0]}", "inputs", f'["{shared.sha256}", "{own.sha256}", "{kept.sha256}"]')
    assert store.purge(store.get(ids[0])) == [own.sha256]
    assert store.get(ids[0]) is None
    assert store.once_was(ids[0], "local")
    assert ClipStore(store).delete("local", kept.sha256) == [kept.sha256]


def test_a_file_that_was_just_pinned_survives_the_purge_of_another_job(store, artifacts, ask):
    shared = artifacts.write(b"shared")
    record = store.create_once(store.new_id(), ask(clip=shared.sha256), "local")
    store.pin(record.id, [shared.sha256])
    store.pin("f" * 32, [shared.sha256])  # its record comes in a moment
    assert store.purge(record) == []


def test_a_purge_that_had_to_wait_is_done_when_the_job_has_ended(store, artifacts, ask):
    clip = artifacts.write(b"clip")
    record = store.create_once(store.new_id(), ask(clip=clip.sha256), "local")
    store.pin(record.id, record.inputs)
    store.begin(record.id, "e")
    store.request_cancel(record.id, purge=True)
    purge_asked(store, artifacts)
    assert artifacts.exists(clip.sha256)
    store.acknowledge_cancel(record.id, "e")
    purge_asked(store, artifacts)
    assert store.get(record.id) is None
    assert not artifacts.exists(clip.sha256)
    assert store.to_purge() == []
