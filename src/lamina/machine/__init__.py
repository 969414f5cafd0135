"""What the machine allows this process, and those it starts."""
