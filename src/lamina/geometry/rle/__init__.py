"""Run-length codes."""
