"""Steps that look at a trainer with the host's model, misuse it, save its progress and go back to it."""

import canon_host
import fixed
import host
import numpy as np
from interface import CANCELLED, INVALID_ARGUMENT, INVALID_STATE, OK, call, give, must, take


class HostStateSteps:
    # ---- What is there, and what is refused

    def check_samples(self, trainer):
        digest, count, ticket = trainer.drawn
        out, number = take(np.float32, count * fixed.LATENT), take(np.int64, 1)
        must(call("trainer_get_samples", trainer.handle, out, count * fixed.LATENT, number) == OK, "samples")
        self.same((canon_host.digest(out.values), int(number.values[0])), (digest, ticket), "samples")

    def do_host_look(self, a, b, c):
        trainer = self.pick_host(a)
        if trainer.drawn:
            return self.check_samples(trainer)
        self.judge(
            call("trainer_get_samples", trainer.handle, take(np.float32, 4), 4, None), {INVALID_STATE}, "samples"
        )

    def do_host_misuse(self, a, b, c):
        """Answers to what was not asked."""
        trainer = self.pick_host(a)
        if not trainer.work:
            values = give(np.zeros(fixed.LATENT, np.float32))
            status = call("trainer_submit", trainer.handle, values, None, fixed.LATENT, None, 0)
            self.judge(status, {INVALID_STATE}, "submit without a request")
            return self.judge(call("trainer_submit_step", trainer.handle, 1.0, 1.0), {INVALID_STATE}, "submit_step")
        if trainer.work.ending:
            return
        status, request = host.ask("trainer", trainer.handle)
        if status != OK or request.kind not in (host.EVALUATE, host.OPTIMIZER_STEP):
            return self.settle(trainer, status, request)
        if request.kind == host.EVALUATE:
            self.check_request(trainer, request)
            values, count = give(np.zeros(request.values + 1, np.float32)), request.values + 1
            out = take(np.float32, count) if request.needs_gradient else None
            status = call("trainer_submit", trainer.handle, values, values, count, out, count if out else 0)
            self.judge(status, {INVALID_ARGUMENT}, "submit one value too many")
            return self.judge(call("trainer_submit_step", trainer.handle, 1.0, 1.0), {INVALID_STATE}, "submit_step")
        values = give(np.zeros(fixed.LATENT, np.float32))
        status = call("trainer_submit", trainer.handle, values, None, fixed.LATENT, None, 0)
        self.judge(status, {INVALID_STATE}, "submit in place of a step")

    def settle(self, trainer, status, request):
        """Goes on after a look at the next request that has moved the work."""
        if status == CANCELLED:
            return
        if status != OK or request.kind == host.FINISHED:
            self.finish_work(trainer, status)
        else:
            self.give_answer(trainer, request, 0)

    # ---- Progress

    def do_host_save(self, a, b, c):
        trainer = self.pick_host(a)
        out, size = take(np.uint8, 8192), take(np.uint64, 1)
        allowed = {INVALID_STATE} if self.is_updating(trainer) else ()
        if self.judge(call("trainer_get_progress", trainer.handle, out, 8192, size), allowed, "get_progress"):
            text = out.values[: int(size.values[0])].tobytes().rstrip(b"\0").decode()
            known = (text, trainer.term, trainer.iteration, trainer.window, (trainer.learning, trainer.plan))
            self.progress = [*self.progress[-2:], (*known, trainer.owner.weights)]

    def is_refused(self, settings, trainer):
        """Settings that change no result without a fault may differ."""
        learnings = [fixed.HOST_LEARNINGS[learning] for learning in (settings[0], trainer.learning)]
        names = ("updates_per_iteration", "kl_reference", "undo")
        results = [[learning.get(name) for name in names] for learning in learnings]
        return settings[1] != trainer.plan or results[0] != results[1]

    def do_host_resume(self, a, b, c):
        trainer = self.pick_host(a)
        if not self.progress:
            return self.do_host_save(a, b, c)
        text, term, iteration, window, settings, weights = self.progress[b % len(self.progress)]
        if settings != (trainer.learning, trainer.plan) and not self.is_refused(settings, trainer):
            return  # allowed, but a history has one trainer
        allowed = {INVALID_STATE} if self.is_updating(trainer) else set()
        if settings != (trainer.learning, trainer.plan):
            allowed.add(INVALID_ARGUMENT)
        if self.judge(call("trainer_set_progress", trainer.handle, text), allowed, "set_progress"):
            trainer.forget()
            trainer.work, trainer.metrics, trainer.owner = None, None, host.HostModel(weights)
            trainer.term, trainer.iteration, trainer.window = term, iteration, window
        self.check_trainer(trainer)
