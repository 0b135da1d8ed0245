"""Artifacts in a bucket: as in a folder, against a real S3 server; and what is said where there is none."""

import builtins
import hashlib
import os
import time
from datetime import UTC, datetime

import obstore
import pytest
from obstore.store import S3Store

from jobs.artifacts import Artifact
from jobs.bucket_store import BucketStore, check_url
from jobs.errors import ConfigurationError, StorageFull, StorageUnavailable
from jobs.settings import Settings
from jobs.stores import artifact_store
from jobs.sweeper import sweep, sweep_unfinished
from tests.s3 import CREDENTIALS, s3_server

LARGE = os.urandom(2**20) * 11  # more than one part of an upload, and of a reader


@pytest.fixture(scope="module")
def s3():
    with s3_server() as running:
        yield running


@pytest.fixture(autouse=True)
def _credentials(monkeypatch):
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bucket(s3, tmp_path):
    store = artifact_store(Settings(artifact_url=s3.url, data_dir=tmp_path, min_free_bytes=0))
    yield store
    for one in list(store.all()):
        store.delete(one.sha256)


def test_what_is_written_appears_whole_under_its_hash_and_leaves_nothing_here(bucket, s3):
    with bucket.writer() as writer:
        writer.write(b"hello ")
        assert s3.names() == []
        writer.write(b"world")
        artifact = writer.publish()
    sha256 = hashlib.sha256(b"hello world").hexdigest()
    assert artifact == Artifact(sha256, 11)
    assert s3.names() == [f"kept/here/{sha256[:2]}/{sha256}"]
    assert list(bucket.unfinished()) == []
    found = bucket.find(sha256)
    assert (found.sha256, found.bytes) == (sha256, 11)
    assert abs((datetime.now(UTC) - found.written).total_seconds()) < 60
    assert list(bucket.all()) == [found]


def test_a_large_artifact_comes_back_as_a_local_file_and_in_parts(bucket):
    sha256 = bucket.write(LARGE).sha256
    with bucket.open(sha256) as file:
        assert os.fstat(file.fileno()).st_size == len(LARGE), "a decoder takes the descriptor"
        assert file.read() == LARGE
    assert list(bucket.unfinished()) == [], "the fetched file has no name"
    with bucket.reader(sha256) as file:
        file.seek(5 * 2**20 - 3)
        assert file.read(7) == LARGE[5 * 2**20 - 3 :][:7]
        file.seek(-2, os.SEEK_END)
        assert file.read() == LARGE[-2:]
        assert file.read(10) == b""


def test_what_is_not_published_never_reaches_the_bucket(bucket, s3):
    with bucket.writer() as writer:
        writer.write(b"half")
    assert s3.names() == []
    assert list(bucket.unfinished()) == []


def test_what_is_not_there_is_told_as_in_a_folder(bucket):
    nobody = "0" * 64
    assert bucket.find(nobody) is None
    assert not bucket.exists(nobody)
    for opening in (bucket.open, bucket.reader):
        with pytest.raises(FileNotFoundError):
            opening(nobody)
    bucket.delete(nobody)
    with pytest.raises(ValueError, match="64 lower-case hex digits"):
        bucket.find("../secrets")


def test_an_object_whose_content_is_not_its_name_is_refused(bucket, s3):
    sha256 = bucket.write(b"true").sha256
    others = S3Store(s3.bucket, endpoint=s3.endpoint, client_options={"allow_http": True})
    obstore.put(others, f"kept/here/{sha256[:2]}/{sha256}", b"lies")
    with pytest.raises(OSError, match="does not have the content that its name says"):
        bucket.open(sha256)


def test_the_local_disk_keeps_its_reserve(bucket):
    sha256 = bucket.write(b"clip").sha256
    bucket.min_free_bytes = 2**62
    with pytest.raises(StorageFull, match="try again later"):
        bucket.writer()
    with pytest.raises(StorageFull, match="try again later"):
        bucket.open(sha256)


def test_a_sweep_deletes_unused_objects_and_spares_used_ones(store, bucket, ask):
    used, _ = bucket.write(b"used"), bucket.write(b"unused")
    record = store.create_once(store.new_id(), ask(clip=used.sha256), "local")
    store.pin(record.id, [used.sha256])
    assert sweep(store.redis, bucket).unused == 0, "both are young"
    time.sleep(1.1)  # S3's times are whole seconds
    assert sweep(store.redis, bucket, unused_for=0.0).unused == 1
    assert [one.sha256 for one in bucket.all()] == [used.sha256]


def test_what_a_killed_process_left_on_the_local_disk_is_removed(bucket):
    (abandoned := bucket.incoming / "abandoned").write_bytes(b"half")
    os.utime(abandoned, (0, 0))
    (young := bucket.incoming / "young").write_bytes(b"half")
    assert sweep_unfinished(bucket) == 1
    assert list(bucket.unfinished()) == [young]


def test_writing_the_same_bytes_again_makes_them_young(bucket):
    first = bucket.write(b"again")
    before = bucket.find(first.sha256).written
    time.sleep(1.1)
    bucket.write(b"again")
    assert bucket.find(first.sha256).written > before


def test_a_server_that_has_gone_is_a_problem_and_its_address_stays_in_the_log(tmp_path, caplog):
    with s3_server() as short:
        bucket = BucketStore(short.url, tmp_path, patience=0.5)
        sha256 = bucket.write(LARGE).sha256
        reader = bucket.reader(sha256)
        reader.read(1)
        short.stop()
        attempts = [
            lambda: bucket.find(sha256),
            lambda: bucket.open(sha256),
            lambda: bucket.reader(sha256),
            lambda: bucket.delete(sha256),
            lambda: bucket.write(b"x"),
            lambda: list(bucket.all()),
            lambda: (reader.seek(9 * 2**20), reader.read(1)),
        ]
        began = time.monotonic()
        for attempt in attempts:
            with pytest.raises(StorageUnavailable, match="does not answer") as caught:
                attempt()
            assert caught.value.status == 503
            assert short.endpoint not in caught.value.detail
        assert time.monotonic() - began < 30
        assert "the bucket failed" in caplog.text
        assert list(bucket.unfinished()) == []


def test_a_bucket_that_is_not_there_is_a_problem_too(s3, tmp_path):
    bucket = BucketStore(f"s3://nobody?endpoint={s3.endpoint}", tmp_path, patience=0.5)
    with pytest.raises(StorageUnavailable):
        bucket.write(b"x")


def test_without_the_library_the_operator_hears_what_to_install(tmp_path, monkeypatch):
    real = builtins.__import__

    def lacking(name, *arguments, **options):
        if name.split(".")[0] == "obstore":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(ConfigurationError, match=r"pip install 'twofold\[s3\]'"):
        artifact_store(Settings(artifact_url="s3://bucket", data_dir=tmp_path))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://bucket.example", "expected s3://BUCKET"),
        ("s3://", "expected s3://BUCKET"),
        ("s3://key:secret@bucket", "AWS_SECRET_ACCESS_KEY"),
        ("s3://bucket?endpoint=minio:9000", "neither http"),
        ("s3://bucket?endpont=http://x", "not 'endpont'"),
    ],
)
def test_a_url_that_names_no_bucket_is_refused_and_no_secret_repeated(url, said):
    with pytest.raises(ValueError, match=said) as caught:
        check_url(url)
    assert "key:secret" not in str(caught.value)
    with pytest.raises(ValueError, match="artifact_url"):
        Settings(artifact_url=url)
