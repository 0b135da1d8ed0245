"""A real S3 server on this machine, moto's, in a process of its own, for the tests of what is kept in a bucket."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

STARTS_WITHIN = 60.0  # seconds
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass
class S3:
    """A running server with one empty bucket."""

    process: subprocess.Popen[bytes]
    endpoint: str
    bucket: str = "twofold"

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/kept/here?endpoint={self.endpoint}"

    def names(self) -> list[str]:
        """Every key of the bucket, asked without our own code."""
        answer = httpx.get(f"{self.endpoint}/{self.bucket}", params={"list-type": "2"})
        return re.findall(r"<Key>([^<]*)</Key>", answer.text)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def s3_server() -> Iterator[S3]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    running = S3(server, f"http://127.0.0.1:{port}")
    try:
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                if httpx.put(f"{running.endpoint}/{running.bucket}").status_code == 200:
                    break
            except httpx.TransportError:
                assert server.poll() is None, "moto's server does not start"
                assert time.monotonic() < deadline, "moto's server does not answer"
                time.sleep(0.1)
        yield running
    finally:
        running.stop()
