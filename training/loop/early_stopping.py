"""EarlyStopping: ends a run whose score no longer rises, and remembers the best epoch."""

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class EarlyStopping:
    """Counts evaluated epochs without improvement, by the rules of the hosted service.

    From epoch `delay` on, counted from 0, each evaluated epoch that is not strictly better than the best one adds one.
    Classifiers stop when the count reaches `patience`, detectors (`strictly`) when it exceeds it. Of equally good
    epochs the latest is the best one.
    """

    patience: int
    delay: int
    strictly: bool
    enabled: bool = True
    best_score: float | None = None
    best_epoch: int = -1
    count: int = 0

    def add(self, epoch: int, score: float) -> bool:
        """Count an evaluated epoch; return whether it is the best so far."""
        better = self.best_score is None or score > self.best_score
        if epoch >= self.delay:
            self.count = 0 if better else self.count + 1
        best = self.best_score is None or score >= self.best_score
        if best:
            self.best_score, self.best_epoch = score, epoch
        return best

    def add_unmeasured(self, epoch: int) -> bool:
        """Take an epoch of which nothing was measured as the best one; such epochs end no run."""
        self.best_epoch = epoch
        return True

    @property
    def stop(self) -> bool:
        """Whether the run should end."""
        return self.enabled and (self.count > self.patience if self.strictly else self.count >= self.patience)

    def state(self) -> dict[str, float | int | bool | None]:
        """Return what a checkpoint keeps, as JSON."""
        return asdict(self)
