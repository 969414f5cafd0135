"""Entries of archives."""

from __future__ import annotations

import io
import zipfile

from lamina.result.npz_entry import entry


def test_an_entry_is_packed_and_without_a_time() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, entry(archive, "a.npy") as place:
        place.write(bytes(1000))
    with zipfile.ZipFile(stream) as archive:
        (info,) = archive.infolist()
    assert info.date_time == (1980, 1, 1, 0, 0, 0)
    assert info.compress_size < 100 < info.file_size == 1000
