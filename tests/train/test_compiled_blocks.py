from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from interplay.core.errors import InputError
from interplay.train.compiled_blocks import attention_written_out, compiled_blocks, plain_attention

GENERATOR = torch.Generator().manual_seed(0)
KEYS_SEEN = torch.tensor([True] * 6 + [False] * 3)


@pytest.mark.parametrize(
    "mask",
    [
        None,
        KEYS_SEEN.expand(7, 9),
        KEYS_SEEN.expand(2, 1, 1, 9),
        (torch.rand(2, 3, 7, 9, generator=GENERATOR) > 0.3) | KEYS_SEEN,
        torch.randn(2, 1, 1, 9, generator=GENERATOR),
    ],
    ids=["none", "keys", "batch", "full", "added"],
)
@pytest.mark.parametrize("scale", [None, 0.5])
def test_plain_attention_is_the_twin_of_the_fused_kernel(mask: Tensor | None, scale: float | None) -> None:
    query = torch.randn(2, 3, 7, 8, generator=GENERATOR)
    key, value = torch.randn(2, 2, 3, 9, 8, generator=GENERATOR)
    wanted = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)
    torch.testing.assert_close(plain_attention(query, key, value, mask, scale), wanted)


def test_what_plain_attention_does_not_know_is_left_to_torch() -> None:
    query = torch.randn(1, 1, 4, 8, generator=GENERATOR)
    wanted = functional.scaled_dot_product_attention(query, query, query, is_causal=True)
    with attention_written_out():
        found = functional.scaled_dot_product_attention(query, query, query, is_causal=True)
    assert torch.equal(found, wanted)


class Block(nn.Module):
    """What any transformer's layer is made of, with a count of how often Python runs it."""

    def __init__(self) -> None:
        super().__init__()
        self.project, self.runs = nn.Linear(8, 24), 0

    def forward(self, hidden: Tensor) -> Tensor:
        if not torch.compiler.is_compiling():
            self.runs += 1
        query, key, value = self.project(hidden).chunk(3, dim=-1)
        return hidden + functional.scaled_dot_product_attention(query, key, value)


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.blocks = nn.ModuleList([Block(), Block()])

    def forward(self, hidden: Tensor) -> Tensor:
        for block in self.blocks:
            hidden = block(hidden)
        return hidden


def test_compiled_blocks_compute_the_same_in_training_and_are_themselves_otherwise() -> None:
    model, hidden = Transformer(), torch.randn(2, 5, 8, generator=GENERATOR)
    wanted = model(hidden)
    gradients = torch.autograd.grad(wanted.square().sum(), list(model.parameters()))
    before = [block.runs for block in model.blocks]
    with compiled_blocks([model]):
        found = model(hidden)
        again = torch.autograd.grad(found.square().sum(), list(model.parameters()))
        assert [block.runs for block in model.blocks] == before
        with torch.no_grad():
            assert torch.equal(model(hidden), wanted)
        assert [block.runs for block in model.blocks] == [count + 1 for count in before]
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(again, gradients)
    assert all(block._compiled_call_impl is None for block in model.blocks)


def test_blocks_are_themselves_again_after_an_error() -> None:
    model = Transformer()
    with pytest.raises(RuntimeError, match="in the middle"), compiled_blocks([model]):
        raise RuntimeError("in the middle")
    assert all(block._compiled_call_impl is None for block in model.blocks)


def test_without_a_compiler_the_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    cure = r"there is no no-such-compiler.*train without compile"
    with pytest.raises(InputError, match=cure), compiled_blocks([Transformer()]):
        pass
