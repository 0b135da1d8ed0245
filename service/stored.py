"""An artifact as a response: in parts where the client asks for ranges, never whole in memory, wherever it is kept."""

import os
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio
from anyio import to_thread
from starlette.responses import FileResponse

from jobs.artifacts import ArtifactStore, Stored


class StoredResponse(FileResponse):
    """Starlette's answer with a file, with ranges and conditions as there, read through the store."""

    def __init__(
        self, store: ArtifactStore, stored: Stored, *, media_type: str, filename: str, headers: Mapping[str, str]
    ) -> None:
        self.store, self.stored = store, stored
        written = int(stored.written.timestamp())
        super().__init__(
            stored.sha256,  # a name; no path is opened
            media_type=media_type,
            headers=headers,
            filename=filename,
            stat_result=os.stat_result((stat.S_IFREG, 0, 0, 0, 0, 0, stored.bytes, written, written, written)),
            content_disposition_type="inline",
        )

    @asynccontextmanager
    async def _open_file(self) -> AsyncIterator[anyio.AsyncFile[bytes]]:
        """Open the artifact: the one step of Starlette's that is about a file system."""
        file = anyio.wrap_file(await to_thread.run_sync(self.store.reader, self.stored.sha256))
        try:
            yield file
        finally:
            with anyio.CancelScope(shield=True):
                await file.aclose()
