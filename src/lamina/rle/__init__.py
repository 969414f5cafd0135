"""Run-length codes of masks: encoding, decoding, and codes of bands of rows."""

from lamina.rle.codec import Code, decode, encode

__all__ = ["Code", "decode", "encode"]
