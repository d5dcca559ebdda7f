import numpy as np
import pytest

from training.loop.batches import BatchOrder


@pytest.mark.parametrize(("count", "size"), [(10, 3), (9, 4), (5, 8), (100, 7)])
def test_an_epoch_holds_every_example_once_in_batches_of_about_one_size(count: int, size: int) -> None:
    order = BatchOrder(seed=0, example_count=count, batch_size=size, epochs=2)
    batches = [order.plan(1, step).indexes for step in range(order.steps_per_epoch)]
    assert sorted(np.concatenate(batches)) == list(range(count))
    assert max(map(len, batches)) <= size
    assert max(map(len, batches)) - min(map(len, batches)) <= 1


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    def first(seed: int, epoch: int) -> list[int]:
        return list(BatchOrder(seed, 50, 50, 3).plan(epoch, 0).indexes)

    assert first(0, 0) == first(0, 0)
    assert first(0, 0) != first(0, 1)
    assert first(0, 0) != first(1, 0)


def test_processes_share_what_one_would_draw() -> None:
    whole = BatchOrder(seed=3, example_count=22, batch_size=7, epochs=1)
    parts = [BatchOrder(seed=3, example_count=22, batch_size=7, epochs=1, rank=rank, processes=2) for rank in (0, 1)]
    for step in range(whole.steps_per_epoch):
        plan, shared = whole.plan(0, step), [part.plan(0, step) for part in parts]
        assert list(plan.indexes) == [index for each in shared for index in each.indexes]
        drawn = [rng.random() for each in shared for rng in each.rngs]
        assert drawn == [rng.random() for rng in plan.rngs]
        assert {each.shared.random() for each in shared} == {plan.shared.random()}
        counted = [len(each.indexes) * part.share(step) for each, part in zip(shared, parts, strict=True)]
        assert counted[0] > 0
        assert sum(part.share(step) for part in parts) == pytest.approx(2)
