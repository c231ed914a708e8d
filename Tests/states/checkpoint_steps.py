"""Steps that save and restore trainers."""

import os

from interface import INPUT_OUTPUT, INVALID_ARGUMENT, INVALID_FORMAT, INVALID_STATE, _abi, call, must, read, struct


class CheckpointSteps:
    def state_of(self, trainer):
        """What a checkpoint holds."""
        settings = (trainer.learning, trainer.plan, bool(trainer.has_base))
        return trainer.saved_term(), trainer.iteration, trainer.window, settings, trainer.model.weights

    def become(self, trainer, saved):
        trainer.forget()
        trainer.term, trainer.iteration, trainer.window = saved[:3]
        trainer.model.weights, trainer.metrics = saved[4], None
        self.changed(trainer.model)

    def do_save(self, a, b, c):
        trainer = self.pick(a)
        name = f"folder{b % 2}"
        self.judge(call("trainer_save", trainer.handle, f"{self.folder}/{name}"), (), "save")
        self.saved[name] = self.state_of(trainer)
        self.check_trainer(trainer)

    def do_restore(self, a, b, c):
        trainer = self.pick(a)
        name = f"folder{b % 2}"
        saved = self.saved.get(name)
        allowed = set() if saved else {INPUT_OUTPUT}
        if saved and saved[3] != self.state_of(trainer)[3]:
            allowed = {INVALID_ARGUMENT}
        if self.judge(call("trainer_restore", trainer.handle, f"{self.folder}/{name}"), allowed, "restore"):
            self.become(trainer, saved)
        self.check_trainer(trainer)

    # ---- Folders of checkpoints

    def do_checkpoint(self, a, b, c):
        trainer = self.pick(a)
        name, keep_last, keep_every = f"run{b % 2}", 1 + b // 2 % 2, (0, 2)[c % 2]
        files = self.checkpoints.setdefault(name, {})
        later = [number for number in files if number > trainer.iteration]
        allowed = {INVALID_STATE} if any(files[number] for number in later) else ()
        status = call("trainer_checkpoint", trainer.handle, f"{self.folder}/{name}", keep_last, keep_every)
        if self.judge(status, allowed, f"checkpoint {trainer.iteration} beside {sorted(files)}"):
            files[trainer.iteration] = self.state_of(trainer)
            present = sorted(set(files) - set(later))
            outdated = [number for number in present[:-keep_last] if not keep_every or number % keep_every]
            for number in (*later, *outdated):
                del files[number]
        self.check_folder(name)
        self.check_trainer(trainer)

    def check_folder(self, name):
        expected = sorted(f"iteration-{number:08}.safetensors" for number in self.checkpoints[name])
        found = sorted(os.listdir(f"{self.folder}/{name}")) if os.path.isdir(f"{self.folder}/{name}") else []
        must(found == expected, f"files: expected {expected}, got {found}")

    def do_tear(self, a, b, c):
        """Cuts a checkpoint short, as a kill of another program might."""
        name = f"run{a % 2}"
        files = self.checkpoints.get(name)
        if files:
            number = sorted(files)[-1 - b % len(files)]
            path = f"{self.folder}/{name}/iteration-{number:08}.safetensors"
            os.truncate(path, os.path.getsize(path) * (1 + c % 3) // 4)
            files[number] = None

    def do_resume(self, a, b, c):
        trainer = self.pick(a)
        name = f"run{b % 2}"
        files = self.checkpoints.get(name, {})
        whole = [number for number in sorted(files) if files[number]]
        saved = files[whole[-1]] if whole else None
        allowed = set()
        if files and not saved:
            allowed = {INVALID_FORMAT}
        elif saved and saved[3] != self.state_of(trainer)[3]:
            allowed = {INVALID_ARGUMENT}
        out = struct(_abi.Resumption)
        status = call("trainer_resume", trainer.handle, f"{self.folder}/{name}", out)
        if self.judge(status, allowed, f"resume from {sorted(files)}, whole {whole}"):
            found = read(_abi.Resumption, out)
            skipped = sum(number > whole[-1] for number in files) if whole else 0
            must((found.iteration, found.skipped) == (whole[-1] if whole else -1, skipped), "resumption")
            if saved:
                self.become(trainer, saved)
        self.check_trainer(trainer)
