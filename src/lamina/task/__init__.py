"""What is predicted, and what a search for a decision maximizes."""

from lamina.task.aim import Aim
from lamina.task.task import Task

__all__ = ["Aim", "Task"]
