"""Counting what a computation allocates, against sums done by hand."""

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from interplay.train.doctor.rehearsal import rehearse

FLOAT = 4


def empty(*shape):
    return torch.empty(shape, device="meta")


def test_what_is_dropped_on_the_way_counts_for_the_peak_and_not_for_what_is_kept():
    x = empty(10, 10)

    def compute():
        wide = x.repeat(1, 5)
        return wide.sum(dim=1)

    rehearsed = rehearse(compute)

    assert rehearsed.kept == 10 * FLOAT
    assert rehearsed.peak == (500 + 10) * FLOAT


def test_what_was_there_before_is_not_counted_nor_is_a_view_of_it():
    weight = empty(100, 100)

    assert rehearse(lambda: weight.t()[:50]).peak == 0


def test_the_activations_that_a_backward_pass_needs_are_kept_until_it_has_run():
    layer = nn.Linear(64, 64, bias=False, device="meta")
    x = empty(8, 64)

    forward = rehearse(lambda: layer(layer(x)).square().sum())
    whole = rehearse(lambda: layer(layer(x)).square().sum().backward())

    # Kept: the first output (input of the second layer), the second (for the square), and the sum.
    assert forward.kept == (2 * 8 * 64 + 1) * FLOAT
    # Afterwards only the gradient of the weight is left.
    assert whole.kept == 64 * 64 * FLOAT


def test_attention_is_counted_without_the_matrix_of_queries_and_keys():
    queries = [empty(1, 2, 1000, 8).requires_grad_() for _ in range(3)]

    rehearsed = rehearse(lambda: functional.scaled_dot_product_attention(*queries))
    names = dict(zip(("query", "key", "value"), queries, strict=True))

    assert rehearse(lambda: functional.scaled_dot_product_attention(**names)) == rehearsed
    # The output and one log-sum-exp per query and head; the matrix alone would be two million numbers.
    assert rehearsed.kept == (1 * 2 * 1000 * 8 + 1 * 2 * 1000) * FLOAT


def test_what_is_computed_anew_in_the_backward_pass_is_counted_the_same():
    """Gradient checkpointing compares what its recomputation keeps with what the forward pass kept."""
    layer, x = nn.Linear(8, 8, device="meta"), empty(1, 2, 1000, 8).requires_grad_()

    def block(hidden):
        projected = layer(hidden)
        return functional.scaled_dot_product_attention(projected, projected, projected)

    def peak(blocks, run):
        hidden = x
        for _ in range(blocks):
            hidden = run(hidden)
        hidden.sum().backward()

    def again(hidden):
        return checkpoint(block, hidden, use_reentrant=False)

    kept, anew = (
        [rehearse(lambda run=run, blocks=blocks: peak(blocks, run)).peak for blocks in (4, 8)] for run in (block, again)
    )
    assert kept[1] - kept[0] == 4 * (2 * 16000 + 2000) * FLOAT  # projection, output and log-sum-exp of each block
    assert anew[1] - anew[0] == 4 * 16000 * FLOAT  # the input of each block alone


def test_the_real_attention_still_runs_where_there_are_numbers():
    x = torch.ones(1, 1, 3, 4)

    assert torch.equal(functional.scaled_dot_product_attention(x, x, x), x)
    rehearse(lambda: torch.testing.assert_close(functional.scaled_dot_product_attention(x, x, x), x))
