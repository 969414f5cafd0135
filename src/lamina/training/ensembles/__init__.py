"""Several runs or checkpoints combined into one."""
