"""The data order: every picture once per epoch, whatever the batches."""

import numpy as np

from emaki.training import order


def test_each_epoch_shows_every_row_once_in_another_order():
    seen = np.concatenate([order.rows(5, step, 3, 7) for step in range(7)])
    epochs = seen.reshape(3, 7)
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_the_order_does_not_depend_on_the_batch_size():
    threes = np.concatenate([order.rows(5, step, 3, 7) for step in range(4)])
    sixes = np.concatenate([order.rows(5, step, 6, 7) for step in range(2)])
    assert (threes == sixes).all()


def test_numbers_depend_on_seed_purpose_and_step_alone():
    draw = order.normal(1, "noise", 2, (2, 3))
    assert (draw == order.normal(1, "noise", 2, (2, 3))).all()
    others = [(2, "noise", 2), (1, "posterior", 2), (1, "noise", 3)]
    assert all((draw != order.normal(*other, (2, 3))).all() for other in others)


def test_noise_is_standard_normal_and_steps_are_independent():
    draws = np.stack([order.normal(0, "noise", step, (1000,)) for step in range(50)])
    assert abs(draws.mean()) < 0.02
    assert abs(draws.std() - 1) < 0.02
    assert np.abs(np.corrcoef(draws) - np.eye(50)).max() < 0.2
