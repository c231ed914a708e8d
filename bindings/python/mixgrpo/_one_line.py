"""The figures of an iteration as one line."""

from ._numbers import digits


class InOneLine:
    """What the figures of an iteration have beside their fields."""

    iteration: int
    reward_mean: float
    reward_std: float
    gradient_norm: float
    seconds_rollout: float
    seconds_update: float

    def __str__(self) -> str:
        """The most important figures, in one line."""
        reward = f"reward {digits(self.reward_mean)} ± {digits(self.reward_std)}"
        seconds = digits(self.seconds_rollout + self.seconds_update)
        return f"iteration {self.iteration}: {reward}, gradient norm {digits(self.gradient_norm)}, {seconds} s"
