"""``python -m lamina`` is the program ``lamina``."""

from lamina.cli.main import run

run()
