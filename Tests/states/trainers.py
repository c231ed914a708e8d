"""What the model of the interface knows of a trainer, with the built-in model or with the host's."""

import canon
import canon_host
import fixed
import host
from interface import destroy


class Iteration:
    """`term` is the history of what is finished; the rest is the iteration at work."""

    def begin(self, term, plan, settings):
        self.term, self.plan, self.settings = term, plan, settings
        self.iteration, self.window, self.last_ticket = 0, -1, 0
        self.pending = None  # (prompts, weights) of the rollout that waits for rewards
        self.tickets = []  # [number, prompts, weights, rewards or None]
        self.drawn_window = -1  # of the pending rollout, or of the tickets
        self.runs = ()  # of an update that was stopped and may go on
        self.stopped_rewards = None
        self.metrics = None

    def samples(self, prompts):
        return len(prompts) * fixed.group_size(self.plan)

    def parts(self, rewards):
        drawn = [ticket[1:3] for ticket in self.tickets] or [self.pending]
        return tuple((prompts, start, number) for (prompts, start), number in zip(drawn, rewards, strict=True))

    def forget(self):
        self.pending, self.tickets, self.runs, self.stopped_rewards = None, [], (), None

    @property
    def undoes(self):
        return self.settings.get("undo") != fixed.UNDO_NONE

    def effective(self, rewards):
        """A stopped update of tickets goes on with the rewards that it began with."""
        return self.stopped_rewards if self.tickets and self.runs else rewards

    def needs_window(self):
        """Whether a rollout has no window to use."""
        return fixed.PLANS[self.plan].get("window_mode") == fixed.GIVEN and self.window < 0

    def place(self, window):
        """Where the window is: what a ticket's rollout is compared with."""
        if window >= 0:
            return window
        if fixed.PLANS[self.plan].get("window_mode") == fixed.ADAPTIVE:
            return self.adaptive_place()
        return canon.scheduled(self.plan, self.iteration)


class Trainer(Iteration):
    def __init__(self, evaluator, prompts, learning, plan, keep_base):
        model = evaluator.model
        self.evaluator, self.learning = evaluator, learning
        self.begin(("new", model.weights, learning, plan, keep_base), plan, fixed.LEARNINGS[learning])
        self.has_base = keep_base or "kl_reference" in self.settings
        handle = fixed.new_plan(plan)
        self.handle = fixed.new_trainer(evaluator.handle, prompts, handle, learning, keep_base)
        destroy("plan", handle)

    @property
    def model(self):
        return self.evaluator.model

    @property
    def context(self):
        return self.model.context

    def saved_term(self):
        """What a checkpoint holds: with a stopped update, also the optimizer steps that stay."""
        if not self.runs:
            return self.term
        return ("trained", self.term, self.drawn_window, self.parts(self.stopped_rewards), self.runs)

    def adaptive_place(self):
        return canon.place(self.term)


class Work:
    """What a host's trainer is at: "drawing", "sampling" or "updating"."""

    def __init__(self, kind, **known):
        self.kind, self.faults, self.minibatch, self.steps = kind, (), 0, 0
        self.ending = None  # the status that ends it, after a failure
        self.was_dropped = False  # the tickets of this update
        self.known = known

    def __getattr__(self, name):
        return self.known[name]


class HostTrainer(Iteration):
    def __init__(self, context, learning, plan, max_batch):
        self.context, self.learning, self.max_batch = context, learning, max_batch
        self.begin(("host", learning, plan), plan, fixed.HOST_LEARNINGS[learning])
        self.handle = fixed.new_host_trainer(context.handle, plan, learning, max_batch)
        self.owner = host.HostModel(host.WEIGHTS[0])
        self.work = None
        self.drawn = None  # (digest, how many samples, ticket) of the latest samples
        self.drawn_pending = None  # the same of the pending rollout

    def saved_term(self):
        """The library's part of the state; the host's weights stand in every part and run."""
        return self.term

    def adaptive_place(self):
        return canon_host.place(self.term)

    def forget(self):
        super().forget()
        self.drawn = self.drawn_pending = None
