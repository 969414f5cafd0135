"""How large an image is by the code of the JPEG family itself, read before it is decoded.

Decoders take memory for what the code claims, whatever the file around it says (I06, I07).
"""

from __future__ import annotations

_FRAMES = (*(mark for mark in range(0xC0, 0xD0) if mark not in (0xC4, 0xC8, 0xCC)), 0xF7)
_SCAN = 0xDA
_JPEG_2000 = b"\xff\x4f\xff\x51"
_BOXES = 4096  # bytes of boxes that may stand before a JPEG 2000 code


def code_size(code: bytes) -> tuple[int, int] | None:
    """Return the rows and columns that a JPEG, JPEG-LS or JPEG 2000 code names; None: none.

    Source:
        ITU-T T.81 B.2.2 and T.87 C.2.2 (frame header), T.800 A.5.1 (SIZ).
    """
    at = code.find(_JPEG_2000, 0, _BOXES)
    if at >= 0:
        right, below, left, above = (
            int.from_bytes(code[at + 8 + 4 * k : at + 12 + 4 * k], "big") for k in range(4)
        )
        return below - above, right - left
    at = 2
    while at + 9 <= len(code) and code[at] == 0xFF and code[at + 1] != _SCAN:
        if code[at + 1] == 0xFF:  # filling
            at += 1
            continue
        if code[at + 1] in _FRAMES:
            words = code[at + 5 : at + 7], code[at + 7 : at + 9]
            return int.from_bytes(words[0], "big"), int.from_bytes(words[1], "big")
        at += 2 + int.from_bytes(code[at + 2 : at + 4], "big")
    return None
