"""The units of a streamed answer: which are missing, and which are noted as done."""
