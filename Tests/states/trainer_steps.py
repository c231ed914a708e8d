"""Steps of a trainer with the built-in model; those of tickets, windows and metrics serve the host's too."""

import canon
import fixed
import numpy as np
from interface import (
    BUFFER_TOO_SMALL,
    CANCELLED,
    INVALID_ARGUMENT,
    INVALID_STATE,
    OK,
    _abi,
    call,
    give,
    last_error,
    library,
    must,
    read,
    struct,
    take,
)  # fmt: skip
from objects import CHOICES
from trainers import Trainer


class TrainerSteps:
    def check_trainer(self, trainer):
        """What must hold of a trainer after every call."""
        must(library.mixgrpo_trainer_iteration(trainer.handle) == trainer.iteration, "iteration")
        size = take(np.uint64, 1)
        tickets = take(np.int64, 16)
        self.judge(call("trainer_get_open_tickets", trainer.handle, tickets, 16, size), (), "open tickets")
        opened = [ticket[0] for ticket in trainer.tickets if ticket[3] is None]
        must(tickets.values[: int(size.values[0])].tolist() == opened, f"open tickets: expected {opened}")
        if trainer in self.trainers:
            self.check_weights(trainer.model)

    def do_trainer(self, a, b, c):
        evaluator = self.evaluators[a % len(self.evaluators)]
        if len(self.trainers) < 3:
            learning, plan = b % len(fixed.LEARNINGS), c % len(fixed.PLANS)
            self.trainers.append(Trainer(evaluator, self.prompts, learning, plan, (b // 8) % 2))

    def pick(self, a):
        if not self.trainers:
            self.do_trainer(a, a, a)
        return self.trainers[a % len(self.trainers)]

    def pick_any(self, a):
        """Also a trainer with the host's model."""
        return self.pick_host(a // 2) if a % 2 else self.pick(a // 2)

    def evaluated(self, trainer):
        trainer.evaluator.kept = None

    def do_set_window(self, a, b, c):
        trainer = self.pick_any(a)
        most = fixed.window_starts(trainer.plan)
        start = b % (most + 2) - 1
        allowed = {INVALID_ARGUMENT} if start >= most else set()
        if self.judge(call("trainer_set_window", trainer.handle, start), allowed, f"window {start}"):
            trainer.window = start

    def do_rollout(self, a, b, c):
        trainer = self.pick(a)
        prompts = CHOICES[b % 4]
        count = trainer.samples(prompts) * fixed.LATENT
        room = count - (c % 16 == 5)
        allowed = set()
        if trainer.tickets:
            allowed.add(INVALID_STATE)
        if room < count:
            allowed.add(BUFFER_TOO_SMALL)
        expected, at_work = self.expected_rollout(trainer, prompts, allowed)
        out = take(np.float32, room)
        self.arm(trainer, c)
        status = call("trainer_rollout", trainer.handle, give(prompts, np.int32), len(prompts), out, room)
        if self.disarm(trainer) and not trainer.context.cancel.at_end:
            allowed = {CANCELLED}
        if at_work:
            self.evaluated(trainer)
        if self.judge(status, allowed, f"rollout of {prompts}"):
            self.same(canon.digest(out.values), expected[1], "samples")
            self.abandon(trainer)
            trainer.pending, trainer.drawn_window = (prompts, trainer.model.weights), trainer.window
        self.check_trainer(trainer)

    def expected_rollout(self, trainer, prompts, allowed):
        """What a fresh run gives; whether the model is evaluated at all. Adds to `allowed`."""
        if trainer.needs_window():
            allowed.add(INVALID_ARGUMENT)
        if allowed:
            return None, False
        if trainer.context.is_cancelled:
            allowed.add(CANCELLED)
            return None, False
        expected = canon.rollout(trainer.saved_term(), trainer.window, prompts, trainer.model.weights)
        allowed |= {expected[0]} - {OK}
        return expected, True

    def do_ticket(self, a, b, c):
        trainer = self.pick(a)
        prompts = CHOICES[b % 4]
        count = trainer.samples(prompts) * fixed.LATENT
        allowed = set()
        if trainer.runs and trainer.tickets:
            allowed.add(INVALID_STATE)
        if trainer.tickets:
            if any(prompt in ticket[1] for ticket in trainer.tickets for prompt in prompts):
                allowed.add(INVALID_ARGUMENT)
            if not trainer.needs_window() and trainer.place(trainer.window) != trainer.place(trainer.drawn_window):
                allowed.add(INVALID_ARGUMENT)
        expected, at_work = self.expected_rollout(trainer, prompts, allowed)
        out, number = take(np.float32, count), take(np.int64, 1)
        self.arm(trainer, c)
        status = call(
            "trainer_rollout_ticket", trainer.handle, give(prompts, np.int32), len(prompts), out, count, number
        )
        if self.disarm(trainer) and not trainer.context.cancel.at_end:
            allowed = {CANCELLED}
        if at_work:
            self.evaluated(trainer)
        if self.judge(status, allowed, f"ticket for {prompts}"):
            self.same(canon.digest(out.values), expected[1], "samples")
            if not trainer.tickets:
                self.abandon(trainer)
                trainer.drawn_window = trainer.window
            trainer.last_ticket += 1
            must(int(number.values[0]) == trainer.last_ticket, f"ticket: expected {trainer.last_ticket}")
            trainer.tickets.append([trainer.last_ticket, prompts, trainer.model.weights, None])
        self.check_trainer(trainer)

    def do_rewards(self, a, b, c):
        trainer = self.pick_any(a)
        waiting = [ticket[0] for ticket in trainer.tickets if ticket[3] is None]
        number = waiting[b % len(waiting)] if waiting and b < 48 else b % (trainer.last_ticket + 2)
        ticket = next((ticket for ticket in trainer.tickets if ticket[0] == number), None)
        samples = trainer.samples(ticket[1]) if ticket else 3
        values = fixed.rewards_of(c % 5, samples + (c % 16 == 7))
        allowed = set()
        if not 1 <= number <= trainer.last_ticket:
            allowed = {INVALID_ARGUMENT}
        elif not ticket:
            allowed = {INVALID_STATE}
        else:
            if ticket[3] is not None:
                allowed.add(INVALID_STATE)
            if values.size != samples:
                allowed.add(INVALID_ARGUMENT)
        status = call("trainer_submit_rewards", trainer.handle, number, give(values), values.size)
        if self.judge(status, allowed, f"rewards for {number}"):
            ticket[3] = c % 5
        self.check_trainer(trainer)

    def do_update(self, a, b, c):
        trainer = self.pick(a)
        samples = trainer.samples(trainer.pending[0]) if trainer.pending else 3
        values = fixed.rewards_of(b % 5, samples + (c % 16 == 9))
        allowed = set()
        if trainer.tickets or not trainer.pending:
            allowed.add(INVALID_STATE)
        elif values.size != samples:
            allowed.add(INVALID_ARGUMENT)
        self.run_update(
            trainer, (b % 5,), allowed, c,
            lambda out: call("trainer_update", trainer.handle, give(values), values.size, None, 0, out),
        )  # fmt: skip

    def do_update_tickets(self, a, b, c):
        trainer = self.pick(a)
        allowed = set()
        rewards = tuple(ticket[3] for ticket in trainer.tickets)
        if not trainer.tickets or (b % 2 == 0 and None in rewards):
            allowed.add(INVALID_STATE)
        self.run_update(
            trainer, trainer.effective(rewards), allowed, c,
            lambda out: call("trainer_update_tickets", trainer.handle, b % 2, None, 0, out),
        )  # fmt: skip

    def run_update(self, trainer, rewards, allowed, c, update):
        model = trainer.model
        if model.gradients:
            allowed.add(INVALID_STATE)
        elif not allowed and trainer.runs and self.advantages_differ(trainer, rewards):
            allowed.add(INVALID_ARGUMENT)
        expected, begins = None, not allowed
        if begins and trainer.context.is_cancelled:
            allowed.add(CANCELLED)
        elif begins:
            expected = canon.update(
                trainer.term, trainer.drawn_window, trainer.parts(rewards), trainer.runs, model.weights
            )
            allowed |= {expected[0]} - {OK}
            # No sample has an advantage: perhaps nothing is evaluated and no weight changes.
            if all(number in (2, 3, 4, None) for number in rewards):
                self.disturbed(model)
            self.evaluated(trainer)
        out = struct(_abi.Metrics)
        self.arm(trainer, c)
        status = update(out)
        if self.disarm(trainer):
            allowed = {CANCELLED}  # also at the last report, which an optimizer step follows
        if expected and status != OK:
            self.disturbed(model)
        if self.judge(status, allowed, f"update with {rewards}"):
            self.same(canon.metrics_of(read(_abi.Metrics, out)), expected[1], "metrics")
            self.finish(trainer, rewards, expected[1])
        elif begins and not trainer.undoes:
            self.stop(trainer, rewards, status, canon.last_steps(last_error()))
        self.check_trainer(trainer)

    def advantages_differ(self, trainer, rewards):
        samples = [trainer.samples(part[0]) for part in trainer.parts(rewards)]
        return any(
            first != second
            and not np.array_equal(
                fixed.rewards_of(3 if first is None else first, count),
                fixed.rewards_of(3 if second is None else second, count), equal_nan=True,
            )
            for first, second, count in zip(trainer.stopped_rewards, rewards, samples, strict=True)
        )  # fmt: skip

    def finish(self, trainer, rewards, metrics):
        runs = (*trainer.runs, (trainer.model.weights, OK, 0))
        trainer.term = ("trained", trainer.term, trainer.drawn_window, trainer.parts(rewards), runs)
        trainer.model.weights = ("after", trainer.term)
        self.changed(trainer.model)
        trainer.metrics = metrics
        trainer.iteration += 1
        trainer.forget()

    def stop(self, trainer, rewards, status, steps):
        """An update with UNDO_NONE has failed: `steps` optimizer steps are done and stay."""
        before = trainer.runs[-1][2] if trainer.runs else 0
        if not steps:
            return
        if steps == before and trainer.runs:
            return
        trainer.runs = (*trainer.runs, (trainer.model.weights, status, steps))
        trainer.stopped_rewards = rewards
        trainer.model.weights = ("after", trainer.saved_term())

    def do_iteration(self, a, b, c):
        """Rollout, an update that is cancelled, the update again: what the first one did must have left nothing."""
        trainer = self.pick(a)
        if trainer.tickets:
            self.do_drop_tickets(2 * self.trainers.index(trainer), b, c)
        self.do_rollout(a, b, 0)
        self.do_update(a, b % 2, 48 + c % 16)
        self.do_update(a, b % 2, 0)

    def do_drop_tickets(self, a, b, c):
        trainer = self.pick_any(a)
        self.judge(call("trainer_drop_tickets", trainer.handle), (), "drop tickets")
        if trainer.tickets:
            if trainer in self.hosts and trainer.work and trainer.work.kind == "updating":
                trainer.work.was_dropped = True
            self.abandon(trainer)
        self.check_trainer(trainer)

    def abandon(self, trainer):
        """Gives up the iteration's samples; the optimizer steps of a stopped update stay."""
        trainer.term = trainer.saved_term()
        trainer.forget()

    def do_metrics(self, a, b, c):
        trainer = self.pick_any(a)
        wrong = 4 if c % 8 == 3 else 0
        allowed = {INVALID_STATE} if trainer.metrics is None else set()
        if wrong:
            allowed |= {INVALID_ARGUMENT}
        out = struct(_abi.Metrics, size_change=wrong)
        if self.judge(call("trainer_get_metrics", trainer.handle, out), allowed, "metrics"):
            self.same(canon.metrics_of(read(_abi.Metrics, out)), trainer.metrics, "metrics")

    def do_sample(self, a, b, c):
        trainer = self.pick(a)
        which, share = b % 3, (1.0, 0.5)[c % 2]
        prompts = CHOICES[c % 4]
        allowed = set()
        needs_base = which == 1 or share < 1
        if (needs_base and not trainer.has_base) or (which == 2 and "ema_decay" not in trainer.settings):
            allowed.add(INVALID_STATE)
        elif trainer.context.is_cancelled:
            allowed.add(CANCELLED)
        else:
            expected = canon.sample(trainer.saved_term(), trainer.model.weights, which, prompts, share)
            allowed |= {expected[0]} - {OK}
            self.evaluated(trainer) if which == 0 else None
        status, samples = canon.draw_samples(trainer.handle, which, prompts, share)
        if self.judge(status, allowed, f"sample {which}, share {share}"):
            self.same(samples, expected[1], "samples")
        self.check_trainer(trainer)
