"""Every write goes through here: whole or not at all, and with a digest.

What is read back is checked here too: digests, seals, names that come from data.
"""

from __future__ import annotations

from lamina.files.lock import LOCK, locked
from lamina.files.names import safe_join
from lamina.files.read import digest, read_json, read_lines, read_object
from lamina.files.seal import SEAL, seal_of, sealed
from lamina.files.write import (
    append_line,
    append_lines,
    delete_partial_files,
    fault,
    make_folder,
    move_whole,
    replacing,
    replacing_folder,
    scratch,
    write_bytes,
    write_json,
    write_text,
    write_with,
)

__all__ = [
    "LOCK",
    "SEAL",
    "append_line",
    "append_lines",
    "delete_partial_files",
    "digest",
    "fault",
    "locked",
    "make_folder",
    "move_whole",
    "read_json",
    "read_lines",
    "read_object",
    "replacing",
    "replacing_folder",
    "safe_join",
    "scratch",
    "seal_of",
    "sealed",
    "write_bytes",
    "write_json",
    "write_text",
    "write_with",
]
