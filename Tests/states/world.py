"""The reference model of the interface: what is legal when, and what a call changes.

`World` holds live objects beside what the model knows of them. Each `do_` method is one step: it works out the statuses that
the header allows, makes the call, compares status and bits, and changes the model's state. A step's three numbers choose
objects and arguments.
"""

from checkpoint_steps import CheckpointSteps
from evaluation_steps import EvaluationSteps
from hand_steps import HandSteps
from host_state_steps import HostStateSteps
from host_steps import HostSteps
from objects import Objects
from trainer_steps import TrainerSteps


class World(TrainerSteps, HostSteps, HostStateSteps, CheckpointSteps, EvaluationSteps, HandSteps, Objects):
    pass


STEPS = {name.removeprefix("do_"): getattr(World, name) for name in dir(World) if name.startswith("do_")}
__all__ = ["STEPS", "World"]
