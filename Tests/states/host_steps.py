"""Steps of a trainer whose model the host owns: begin, answer, fail, and what must be refused in between."""

import canon_host
import fixed
import host
import numpy as np
from interface import (
    CANCELLED,
    INVALID_ARGUMENT,
    INVALID_STATE,
    NOT_FINITE,
    OK,
    UNSUPPORTED,
    call,
    give,
    must,
)  # fmt: skip
from objects import CHOICES
from trainers import HostTrainer, Work

FAULTS = (NOT_FINITE, host.DIVERGED)


class HostSteps:
    def do_host(self, a, b, c):
        if len(self.hosts) < 2:
            context = self.contexts[a % len(self.contexts)]
            learning, plan = b % len(fixed.HOST_LEARNINGS), c % len(fixed.PLANS)
            self.hosts.append(HostTrainer(context, learning, plan, (0, 1, 3)[a % 3]))

    def pick_host(self, a):
        if not self.hosts:
            self.do_host(a, a, a)
        return self.hosts[a % len(self.hosts)]

    def do_host_weights(self, a, b, c):
        """The host may change its model between two calls."""
        trainer = self.pick_host(a)
        if not trainer.work:
            trainer.owner = host.HostModel(host.WEIGHTS[(0, 1, 2, 0, 1, 2, 0, 3)[b % 8]])

    # ---- Begin

    def is_updating(self, trainer):
        return trainer.work and trainer.work.kind == "updating"

    def do_host_rollout(self, a, b, c):
        trainer = self.pick_host(a)
        prompts, with_ticket = CHOICES[b % 4], c % 2
        allowed = {INVALID_STATE} if self.is_updating(trainer) else set()
        if trainer.needs_window():
            allowed.add(INVALID_ARGUMENT)
        if not with_ticket and trainer.tickets:
            allowed.add(INVALID_STATE)
        if with_ticket and trainer.tickets:
            if trainer.runs:
                allowed.add(INVALID_STATE)
            taken = any(prompt in ticket[1] for ticket in trainer.tickets for prompt in prompts)
            if taken or (not allowed and trainer.place(trainer.window) != trainer.place(trainer.drawn_window)):
                allowed.add(INVALID_ARGUMENT)
        status = call("trainer_begin_rollout", trainer.handle, give(prompts, np.int32), len(prompts), with_ticket)
        if self.judge(status, allowed, f"begin a rollout of {prompts}, ticket {with_ticket}"):
            weights = trainer.owner.weights
            trainer.work = Work(
                "drawing", prompts=prompts, with_ticket=with_ticket, window=trainer.window, weights=weights
            )
            trainer.drawn = trainer.drawn_pending
        self.check_trainer(trainer)

    def do_host_update(self, a, b, c):
        trainer = self.pick_host(a)
        samples = trainer.samples(trainer.pending[0]) if trainer.pending else 3
        values = fixed.rewards_of(b % 5, samples + (c % 16 == 9))
        allowed = {INVALID_STATE} if self.is_updating(trainer) or trainer.tickets or not trainer.pending else set()
        if values.size != samples:
            allowed.add(INVALID_ARGUMENT)
        if not allowed and trainer.runs and self.advantages_differ(trainer, (b % 5,)):
            allowed.add(INVALID_ARGUMENT)
        status = call("trainer_begin_update", trainer.handle, give(values), values.size, None, 0)
        if self.judge(status, allowed, f"begin an update with {b % 5}"):
            self.begin_update(trainer, (b % 5,))
        self.check_trainer(trainer)

    def do_host_update_tickets(self, a, b, c):
        trainer = self.pick_host(a)
        rewards = tuple(ticket[3] for ticket in trainer.tickets)
        refused = self.is_updating(trainer) or not trainer.tickets or (b % 2 == 0 and None in rewards)
        status = call("trainer_begin_update_tickets", trainer.handle, b % 2, None, 0)
        if self.judge(status, {INVALID_STATE} if refused else (), f"begin an update of tickets with {rewards}"):
            self.begin_update(trainer, trainer.effective(rewards))
        self.check_trainer(trainer)

    def begin_update(self, trainer, rewards):
        trainer.work = Work(
            "updating", rewards=rewards, parts=trainer.parts(rewards), runs=trainer.runs, window=trainer.drawn_window,
            weights=trainer.owner.weights, steps_before=trainer.runs[-1][2] if trainer.runs else 0,
        )  # fmt: skip
        trainer.work.steps = trainer.work.steps_before
        trainer.owner.products = []

    def do_host_sample(self, a, b, c):
        trainer = self.pick_host(a)
        which, share, prompts = b % 3, (1.0, 0.5)[c % 2], CHOICES[c % 4]
        allowed = {INVALID_STATE} if self.is_updating(trainer) else ()
        if self.judge(
            canon_host.begin_sample(trainer.handle, which, prompts, share), allowed, f"begin samples of {which}"
        ):
            weights = trainer.owner.weights
            self.begin_sampling(trainer, len(prompts), lambda: canon_host.sample(weights, which, prompts, share))
        self.check_trainer(trainer)

    def begin_sampling(self, trainer, count, expected):
        trainer.work = Work("sampling", count=count, expected=expected)
        trainer.drawn = trainer.drawn_pending

    # ---- Answer

    def do_host_answer(self, a, b, c):
        trainer = self.pick_host(a)
        self.arm(trainer, c)
        for _ in range((1, 3, 100, 2)[b % 4]):
            if not self.answer(trainer, c):
                break
        self.disarm(trainer)
        self.check_trainer(trainer)

    def answer(self, trainer, c):
        """One request; false when nothing is left, or after a cancel."""
        context, work = trainer.context, trainer.work
        is_cancelled = context.is_cancelled or context.cancel.fired
        status, request = host.ask("trainer", trainer.handle)
        if work is None:
            must(status == OK and request.kind == host.FINISHED, f"next without work: {status}")
            return False
        if status == CANCELLED and is_cancelled and work.ending != CANCELLED:
            if c % 4 == 1:
                self.fail(trainer, CANCELLED)
            return False
        if status != OK or request.kind == host.FINISHED:
            self.finish_work(trainer, status)
            return False
        stays = request.kind in (host.RESTORE_STATE, host.ZERO_GRADIENTS)
        must(stays or not is_cancelled, f"a request of kind {request.kind} after a cancel")
        self.check_request(trainer, request)
        if c % 8 == 2 and request.kind in (host.EVALUATE, host.OPTIMIZER_STEP):
            must(request.same(host.ask("trainer", trainer.handle)[1]), "another request before the answer")
        if c % 16 == 6 and not stays and not work.ending:
            self.fail(trainer, UNSUPPORTED if c == 6 else NOT_FINITE)
        else:
            self.give_answer(trainer, request, c)
        return True

    def check_request(self, trainer, request):
        work = trainer.work
        if request.kind != host.EVALUATE:
            return must(work.kind == "updating", f"a request of kind {request.kind} outside an update")
        must(request.count > 0 and request.count <= (trainer.max_batch or request.count), f"{request.count} latents")
        must(((request.prompts >= 0) & (request.prompts < fixed.PROMPTS)).all(), "prompt indices")
        must(bool(request.needs_gradient) <= (work.kind == "updating"), "a gradient outside an update")
        must(work.kind == "sampling" or request.weights == 0, "other weights than those in training")
        if work.kind == "updating":
            work.minibatch = request.minibatch if request.needs_gradient else "measure"

    def give_answer(self, trainer, request, c):
        work = trainer.work
        if c % 8 == 4 and request.kind == host.EVALUATE:
            must(trainer.owner.answer(trainer.handle, request, poison=True) == NOT_FINITE, "took a velocity of NaN")
        status = trainer.owner.answer(trainer.handle, request)
        if status == OK:
            if request.kind == host.OPTIMIZER_STEP:
                work.steps += 1
                must(request.rate_factor == canon_host.rate_factor(trainer.term), "rate factor")
            return
        must(request.kind == host.EVALUATE and status in FAULTS, f"the answer to {request.kind} returned {status}")
        self.fail(trainer, status)

    def do_host_fail(self, a, b, c):
        """Ends the work, or says that there was none."""
        self.fail(self.pick_host(a), (CANCELLED, UNSUPPORTED)[b % 2])

    def fail(self, trainer, code):
        status, work = call("trainer_fail", trainer.handle, code, "the host's model failed"), trainer.work
        goes_on = work and (work.kind == "updating" or not work.ending)
        self.judge(status, () if goes_on else {code}, f"fail with {code}")
        if not goes_on or work.ending:
            return
        policy = trainer.settings["fault_policy"] if work.kind == "updating" and code in FAULTS else fixed.STOP
        is_natural = work.kind == "updating" and code == host.DIVERGED
        if policy == fixed.STOP or is_natural:
            work.ending = code if policy == fixed.STOP else None
            work.was_natural = is_natural
        else:
            work.faults = (*work.faults, work.minibatch)

    def do_host_iteration(self, a, b, c):
        """A whole rollout, and an update that may fail on its way and is then made again."""
        trainer = self.pick_host(a)
        if trainer.work or trainer.tickets:
            return
        self.do_host_rollout(a, b, 0)
        self.do_host_answer(a, 2, 0)
        self.do_host_update(a, b % 2, 0)
        self.do_host_answer(a, c // 16, c)
        if self.is_updating(trainer) and b >= 32:
            self.do_host_fail(a, b, c)
        self.do_host_answer(a, 2, 0)
        if trainer.pending and not trainer.work:
            self.do_host_update(a, b % 2, 0)
            self.do_host_answer(a, 2, 0)

    # ---- The end

    def finish_work(self, trainer, status):
        work, trainer.work = trainer.work, None
        self.trace[-1] += f" -> {work.kind} ended: {status}"
        getattr(self, "finish_" + work.kind)(trainer, work, status)

    def finish_drawing(self, trainer, work, status):
        expected = canon_host.rollout(trainer.term, work.window, work.prompts, work.weights)
        must(status == (work.ending or expected[0]), f"a rollout ended with {status}, {expected[0]} in a fresh trainer")
        if status != OK:
            return
        count = trainer.samples(work.prompts)
        if not trainer.tickets:
            self.abandon(trainer)
            trainer.drawn_window = work.window
        if work.with_ticket:
            trainer.last_ticket += 1
            trainer.tickets.append([trainer.last_ticket, work.prompts, work.weights, None])
            trainer.drawn = (expected[1], count, trainer.last_ticket)
        else:
            trainer.pending = (work.prompts, work.weights)
            trainer.drawn = trainer.drawn_pending = (expected[1], count, 0)
        self.check_samples(trainer)

    def finish_sampling(self, trainer, work, status):
        expected = work.expected()
        must(status == (work.ending or expected[0]), f"samples ended with {status}, {expected[0]} in a fresh trainer")
        if status == OK:
            trainer.drawn = (expected[1], work.count, 0)
            self.check_samples(trainer)

    def finish_updating(self, trainer, work, status):
        if work.ending and (work.ending == CANCELLED or not getattr(work, "was_natural", False)):
            must(status == work.ending, f"an update ended with {status} after a failure {work.ending}")
            return self.finish_failed(trainer, work, status)
        last = (work.weights, OK, 0, work.faults)
        expected = canon_host.update(trainer.term, work.window, work.parts, work.runs, last)
        must(status == expected[0], f"an update ended with {status}, {expected[0]} in a fresh trainer")
        self.same(trainer.owner.weights, expected[2], "the host's weights")
        must(not trainer.owner.products, "gradients are left")
        if status == OK:
            trainer.metrics = expected[1]
            trainer.term = ("host trained", trainer.term, work.window, work.parts, (*work.runs, last))
            trainer.iteration += 1
            trainer.forget()
            self.same(canon_host.metrics(trainer.handle), trainer.metrics, "metrics")

    def finish_failed(self, trainer, work, status):
        """What the host ended: all is undone, or the optimizer steps stay."""
        must(not trainer.owner.products, "gradients are left")
        if trainer.undoes:
            return self.same(trainer.owner.weights, work.weights, "the host's weights after an update that was undone")
        if work.steps == 0 or work.was_dropped:
            return
        if not work.runs or work.steps > work.steps_before:
            run = (work.weights, status, work.steps, ())
            trainer.runs, trainer.stopped_rewards = (*work.runs, run), work.rewards
