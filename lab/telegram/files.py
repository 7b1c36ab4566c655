"""Files of messages: in memory, found by ``file_id`` (Bot API) or by path (download)."""

import mimetypes
import struct
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath

FILE_BYTES_MAX = 20 * 1024 * 1024
"""What a bot may download, and what the page may upload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """Bytes with a name; ``path`` is what ``getFile`` answers."""

    file_id: str
    unique_id: str
    path: str
    name: str
    mime: str
    data: bytes

    def as_json(self) -> dict[str, object]:
        return {
            "file_id": self.file_id,
            "file_unique_id": self.unique_id,
            "file_size": len(self.data),
        }


class FileStore:
    """Every file of the world. Ids are readable: the lab is for people who look."""

    def __init__(self) -> None:
        self._by_id: dict[str, StoredFile] = {}
        self._by_path: dict[str, StoredFile] = {}

    def add(self, data: bytes, *, name: str, mime: str | None = None, kind: str) -> StoredFile:
        number = len(self._by_id) + 1
        plain = PurePosixPath(name.replace("\\", "/")).name or kind
        guessed = mime or mimetypes.guess_type(plain)[0] or "application/octet-stream"
        suffix = PurePosixPath(plain).suffix or mimetypes.guess_extension(guessed) or ""
        stored = StoredFile(
            file_id=f"lab-{kind}-{number:08d}-AgACAgIAAxk",
            unique_id=f"AQAD{number:08d}",
            path=f"{kind}s/file_{number}{suffix}",
            name=plain,
            mime=guessed,
            data=data,
        )
        self._by_id[stored.file_id] = stored
        self._by_path[stored.path] = stored
        return stored

    def get(self, file_id: str) -> StoredFile | None:
        return self._by_id.get(file_id)

    def at_path(self, path: str) -> StoredFile | None:
        return self._by_path.get(path)

    def clear(self) -> None:
        self._by_id.clear()
        self._by_path.clear()


def sample_picture(width: int = 320, height: int = 200, hue: int = 0) -> bytes:
    """A small real PNG, a soft gradient, so that pages and previews have something to show."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)  # no row filter
        shade = 96 + 128 * y // height
        rows += bytes(((shade + hue) % 256, (200 - hue) % 256, 255 - shade // 2)) * width
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(bytes(rows), 6))
        + _chunk(b"IEND", b"")
    )


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)
