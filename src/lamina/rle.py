"""The public name of the run-length codes; they live in ``lamina.geometry.rle``."""

from lamina.geometry.rle import Code, decode, encode

__all__ = ["Code", "decode", "encode"]
