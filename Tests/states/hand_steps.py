"""Steps without a trainer: rollouts and updates that the host or the built-in model answers, and optimizers."""

import canon
import canon_hand
import fixed
import host
from interface import CANCELLED, INVALID_ARGUMENT, INVALID_STATE, NOT_FINITE, OK, call, destroy, must, take  # fmt: skip
from objects import CHOICES


class Rollout:
    def __init__(self, context, handle, known, max_batch):
        self.context, self.handle, self.known, self.max_batch = context, handle, known, max_batch
        self.owner, self.model = None, None  # the first who answers, and the host's model
        self.is_finished = False

    @property
    def term(self):
        return ("rolled", *self.known, self.owner)


class Update:
    def __init__(self, rollout, handle, learning, number, max_batch):
        self.context, self.handle, self.learning, self.max_batch = rollout.context, handle, learning, max_batch
        self.term = ("update", rollout.term, learning, number)
        self.owner = rollout.owner[0]
        self.model = host.HostModel(rollout.owner[1]) if self.owner == "host" else None
        self.has_begun, self.is_finished = False, False
        # No sample is included: all rewards have failed, or no group has two left.
        self.is_empty = not canon_hand.advantages(learning, number, self.term[1])[1].any()


class Optimizer:
    def __init__(self, context, learning):
        self.term = ("optimizer", learning)
        self.handle = fixed.new_optimizer(context.handle, learning, canon.COUNT)


class HandSteps:
    # ---- Rollouts

    def do_hand_rollout(self, a, b, c):
        context, plan = self.contexts[a % len(self.contexts)], b % len(fixed.PLANS)
        most = fixed.window_starts(plan)
        window, iteration, prompts, max_batch = c % (most + 2) - 1, c // 8 % 4, CHOICES[a % 4], (0, 1, 3)[b % 3]
        mode = fixed.PLANS[plan].get("window_mode")
        wrong = window >= most or (window < 0 and mode in (fixed.GIVEN, fixed.ADAPTIVE))
        status, handle = canon_hand.create_rollout(context.handle, plan, iteration, window, prompts, max_batch)
        if self.judge(status, {INVALID_ARGUMENT} if wrong else (), f"rollout at {window}"):
            while len(self.rollouts) > 1:
                destroy("rollout", self.rollouts.pop(0).handle)
            self.rollouts.append(Rollout(context, handle, (plan, iteration, window, prompts), max_batch))

    def pick_rollout(self, a):
        if not self.rollouts:
            self.do_hand_rollout(a, 0, 1)
        return self.rollouts[a % len(self.rollouts)] if self.rollouts else None

    def do_hand_answer(self, a, b, c):
        """The host answers some requests of a rollout."""
        rollout = self.pick_rollout(a)
        if (rollout.owner or ("host",))[0] != "host":
            return
        if not rollout.owner:
            rollout.owner = ("host", host.WEIGHTS[(0, 1, 2, 3)[c % 16 // 4]])
            rollout.model = host.HostModel(rollout.owner[1])
        for _ in range((1, 2, 100, 100)[b % 4]):
            status, request = host.ask("rollout", rollout.handle)
            if rollout.context.is_cancelled and not rollout.is_finished:
                is_last = status == OK and request.kind == host.FINISHED
                must(status == CANCELLED or is_last, f"next of a cancelled rollout: {status}")
            if status != OK:
                return must(rollout.context.is_cancelled, f"next of a rollout: {status}")
            if request.kind == host.FINISHED:
                rollout.is_finished = True
                return self.check_rollout(rollout)
            must(0 < request.count <= (rollout.max_batch or request.count), f"{request.count} latents")
            if c % 4 == 1:
                status = rollout.model.submit("rollout", rollout.handle, request, poison=True)
                must(status == NOT_FINITE, "took a velocity of NaN")
            status = rollout.model.submit("rollout", rollout.handle, request)
            if status != OK:
                return self.fail_rollout(rollout, status)

    def fail_rollout(self, rollout, status):
        must(status == canon_hand.rolled(rollout.term)[0], f"a rollout failed with {status}")
        self.rollouts.remove(rollout)
        destroy("rollout", rollout.handle)

    def do_hand_run(self, a, b, c):
        """The built-in model answers the rest of a rollout."""
        rollout, evaluator = self.pick_rollout(a), self.evaluators[b % len(self.evaluators)]
        owner = ("built-in", evaluator.model.weights)
        if rollout.owner not in (None, owner):
            return
        allowed, works = set(), not self.is_finished(rollout)
        if works and rollout.context.is_cancelled:
            allowed, works = {CANCELLED}, False
        elif works:
            rollout.owner = owner
            allowed = {canon_hand.rolled(rollout.term)[0]} - {OK}
        self.arm(rollout, c)
        status = call("rollout_run", rollout.handle, evaluator.handle, self.prompts)
        if self.disarm(rollout) and not rollout.context.cancel.at_end:
            allowed = {CANCELLED}
        evaluator.kept = None if works else evaluator.kept
        if self.judge(status, allowed, "run of a rollout"):
            rollout.is_finished = True
            if rollout.owner == owner:
                self.check_rollout(rollout)
        elif status != CANCELLED:
            self.fail_rollout(rollout, status)

    def is_finished(self, rollout):
        """The last answer may have finished it."""
        if rollout.owner and not rollout.is_finished:
            status, request = host.ask("rollout", rollout.handle)
            rollout.is_finished = status == OK and request.kind == host.FINISHED
        return rollout.is_finished

    def check_rollout(self, rollout):
        expected = canon_hand.rolled(rollout.term)
        must(expected[0] == OK, f"a rollout finished that fails with {expected[0]} elsewhere")
        self.same(canon_hand.look(rollout.handle, rollout.term), expected[1], "the rollout")

    def do_hand_look(self, a, b, c):
        rollout = self.pick_rollout(a)
        if self.is_finished(rollout):
            return self.check_rollout(rollout)
        status = call("rollout_get_samples", rollout.handle, take("f4", 4), 4)
        self.judge(status, {INVALID_STATE}, "samples")
        status = call("rollout_get_step", rollout.handle, 0, take("f4", 4), 4, None, 0, None, 0)
        self.judge(status, {INVALID_STATE}, "step")

    # ---- Updates

    def do_hand_update(self, a, b, c):
        rollout, learning, number = self.pick_rollout(a), fixed.HAND_LEARNINGS[b % 3], c % 5
        known, is_finished = ("rolled", *rollout.known, None), self.is_finished(rollout)
        status, handle = canon_hand.create_update(rollout.handle, learning, number, known, (0, 1, 3)[b // 3 % 3])
        if self.judge(status, () if is_finished else {INVALID_STATE}, f"update with {number}"):
            while len(self.updates) > 1:
                destroy("update", self.updates.pop(0).handle)
            self.updates.append(Update(rollout, handle, learning, number, (0, 1, 3)[b // 3 % 3]))

    def do_hand_train(self, a, b, c):
        """The host answers some requests of an update."""
        update = self.updates[a % len(self.updates)] if self.updates else None
        if not update or update.owner != "host":
            return
        for _ in range((1, 3, 100, 100)[b % 4]):
            status, request = host.ask("update", update.handle)
            if status != OK or update.context.is_cancelled:
                return must(status == CANCELLED and update.context.is_cancelled, f"next of an update: {status}")
            if request.kind == host.FINISHED:
                return self.finish_update(update)
            if request.kind == host.OPTIMIZER_STEP:
                update.model.step(1)
                continue
            must(0 < request.count <= (update.max_batch or request.count), f"{request.count} latents")
            if c % 4 == 1:
                status = update.model.submit("update", update.handle, request, poison=True)
                must(status == NOT_FINITE, "took a velocity of NaN")
            must(update.model.submit("update", update.handle, request) == OK, "submit")
            update.has_begun = True

    def finish_update(self, update):
        found = (canon_hand.statistics(update.handle), update.model.weights)
        self.same(found, canon_hand.updated(update.term), "the update by the host")

    def do_hand_update_run(self, a, b, c):
        """The built-in model answers an update."""
        update = self.updates[a % len(self.updates)] if self.updates else None
        if not update or update.owner != "built-in":
            return
        evaluator, optimizer = self.evaluators[b % len(self.evaluators)], self.pick_optimizer(c)
        model, has_reference = evaluator.model, c % 8 != 3
        term = ("ran", optimizer.term, model.weights, update.term)
        allowed, expected = set(), None
        if update.is_finished and not update.is_empty:
            allowed.add(INVALID_STATE)
        if model.gradients:
            allowed.add(INVALID_STATE)
        if not allowed and update.context.is_cancelled:
            allowed.add(CANCELLED)
        if not allowed and not has_reference and self.needs_reference(update) and not update.is_empty:
            allowed.add(INVALID_ARGUMENT)
        elif not allowed:
            expected = canon_hand.optimized(term)
            allowed = {expected[0][0]} - {OK}
            self.disturbed(model)
            evaluator.kept = None
        self.arm(update, c)
        reference = self.frozen.handle if has_reference else None
        status, report = canon_hand.run_update(
            update.handle, evaluator.handle, self.prompts, optimizer.handle, reference
        )
        if self.disarm(update):
            allowed = {CANCELLED}
        if self.judge(status, allowed, f"run of an update with {update.term[3]}"):
            self.same(report, expected[0][1], "report")
            self.same(canon_hand.statistics(update.handle), expected[1], "statistics")
            optimizer.term, model.weights, update.is_finished = term, ("by", term), True
            self.changed(model)
        self.check_weights(model)

    def needs_reference(self, update):
        return "kl_reference" in fixed.LEARNINGS[update.learning]

    # ---- Optimizers

    def do_optimizer(self, a, b, c):
        if len(self.optimizers) < 2:
            self.optimizers.append(Optimizer(self.contexts[a % len(self.contexts)], b % len(fixed.LEARNINGS)))

    def pick_optimizer(self, a):
        if not self.optimizers:
            self.do_optimizer(a, a, a)
        return self.optimizers[a % len(self.optimizers)]

    def do_optimizer_step(self, a, b, c):
        optimizer, model = self.pick_optimizer(a), self.models[b % len(self.models)]
        term = ("stepped", optimizer.term, model.weights, model.gradients)
        expected = canon_hand.optimized(term)[0]
        status, report = canon_hand.step_model(optimizer.handle, model.handle)
        if self.judge(status, {expected[0]} - {OK}, "step on a model"):
            self.same(report, expected[1], "report")
            optimizer.term, model.weights, model.gradients = term, ("by", term), ()
            self.changed(model)
        self.check_weights(model)

    def do_optimizer_step_alone(self, a, b, c):
        optimizer, name, number = self.pick_optimizer(a), ("first", "second")[b % 2], c % 8
        term = ("stepped alone", optimizer.term, name, number)
        expected = canon_hand.optimized(term)[0]
        found = canon_hand.step_alone(optimizer.handle, name, number)
        if self.judge(found[0], {expected[0]} - {OK}, f"step on an array with {number}"):
            optimizer.term = term
        self.same(found, expected, "step on an array")

    def do_hand_iteration(self, a, b, c):
        """A whole rollout, and an update that is cancelled and made again."""
        self.do_hand_rollout(a, b, 1)
        if not self.rollouts:
            return
        last = len(self.rollouts) - 1
        (self.do_hand_answer if c % 2 else self.do_hand_run)(last, 2 if c % 2 else b, 0)
        if len(self.rollouts) <= last or not self.is_finished(self.rollouts[last]):
            return
        self.do_hand_update(last, b, c // 2 % 2)
        last = len(self.updates) - 1
        if c % 2:
            return self.do_hand_train(last, 2, 0)
        self.do_hand_update_run(last, b, 48 + c % 16)
        self.do_hand_update_run(last, b, 0)
