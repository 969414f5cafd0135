"""The public name of the run-length codes; they live in ``lamina.geometry.rle.codec``."""

from lamina.geometry.rle.codec import Code, decode, encode

__all__ = ["Code", "decode", "encode"]
