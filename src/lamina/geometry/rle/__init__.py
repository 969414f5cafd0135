"""Run-length codes of masks: encoding, decoding, and codes of bands of rows."""
