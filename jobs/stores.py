"""The store of artifacts that the settings name: a folder, unless they name a bucket."""

from jobs.artifacts import ArtifactStore
from jobs.bucket_store import BucketStore
from jobs.folder_store import FolderStore
from jobs.settings import Settings


def artifact_store(settings: Settings, patience: float = 5.0) -> ArtifactStore:
    """Return the store; where it is a bucket, a call tries again for `patience` seconds before it gives up.

    Raises:
        ConfigurationError: it is a bucket, and what that needs is not installed or cannot be used.

    """
    if settings.artifact_url is None:
        return FolderStore(settings.artifact_dir, settings.min_free_bytes)
    return BucketStore(settings.artifact_url, settings.incoming_dir, settings.min_free_bytes, patience)
