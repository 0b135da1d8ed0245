"""A file is what its first bytes say, and only what is on the list is taken."""

import pytest

from jobs.magic import AVI, GIF, HEAD_BYTES, JPEG, MATROSKA, MP4, MPEG_TRANSPORT, PNG, WEBP, contradicts, sniff


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00", MP4),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00\x02\x00", MP4),
        (b"\x00\x00\x10\x00mdat" + bytes(16), MP4),
        (b"\x1aE\xdf\xa3\x01\x00", MATROSKA),
        (b"RIFF\x00\x10\x00\x00AVI LIST", AVI),
        (b"RIFF\x00\x10\x00\x00WEBPVP8X", WEBP),
        (b"RIFF\x00\x10\x00\x00WAVEfmt ", None),
        (b"GIF89a\x01\x00\x01\x00", GIF),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", PNG),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", JPEG),
        ((b"G" + bytes(187)) * 3, MPEG_TRANSPORT),
        (b"G" + bytes(600), None),
        (b"\x00\x00\x00\x18ftypheic", None),
        (b"\x00\x00\x00\x18ftypavif", None),
        (b"#EXTM3U\n", None),
        (b"ffconcat version 1.0", None),
        (b"<svg xmlns=", None),
        (b"%PDF-1.7", None),
        (b"", None),
        (b"GIF8", None),
    ],
)
def test_the_first_bytes_name_the_container(head, container):
    assert sniff(head[:HEAD_BYTES]) == container


def test_a_picture_called_a_video_contradicts_its_name_and_a_quicktime_called_mp4_does_not():
    assert contradicts(PNG, "clip.mp4")
    assert contradicts(MP4, "clip.PNG")
    assert not contradicts(PNG, "clip.jpg")
    assert not contradicts(MP4, "clip.mov")
    assert not contradicts(PNG, "clip")
    assert not contradicts(PNG, "clip.dat")
