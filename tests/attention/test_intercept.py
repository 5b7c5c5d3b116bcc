"""The calls of one thread's attention are caught while somebody asks for it, and at no other time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from interplay.attention.intercept import Arguments, Listing, catching, uncaught
from interplay.core.errors import InterplayError

KERNEL = functional.scaled_dot_product_attention


def sides() -> tuple[Tensor, Tensor, Tensor]:
    query, key, value = torch.randn(3, 1, 2, 5, 4, generator=torch.Generator().manual_seed(0))
    return query, key, value


def adding(value: float, order: list[float]) -> Callable[..., Tensor]:
    def handler(kernel: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        order.append(value)
        return kernel(*args, **kwargs) + value

    return handler


def test_the_innermost_handler_sees_a_call_first_and_what_it_calls_goes_to_the_next() -> None:
    order: list[float] = []
    with catching(adding(10.0, order)), catching(adding(1.0, order)):
        output = functional.scaled_dot_product_attention(*sides())
        again = functional.scaled_dot_product_attention(*sides())
    assert order == [1.0, 10.0, 1.0, 10.0]
    torch.testing.assert_close(output, KERNEL(*sides()) + 11.0)
    assert torch.equal(output, again)


def test_nothing_is_left_after_an_exception() -> None:
    def failing(kernel: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        raise RuntimeError("in the handler")

    with pytest.raises(RuntimeError, match="in the handler"), catching(Listing(log_sum_exp=False)), catching(failing):
        functional.scaled_dot_product_attention(*sides())
    assert functional.scaled_dot_product_attention is KERNEL
    listing = Listing(log_sum_exp=False)
    with catching(listing):
        functional.scaled_dot_product_attention(*sides())
    assert len(listing.calls) == 1


def test_another_thread_is_none_of_our_business() -> None:
    listing, outputs = Listing(log_sum_exp=False), []
    with catching(listing):
        thread = threading.Thread(target=lambda: outputs.append(functional.scaled_dot_product_attention(*sides())))
        thread.start()
        thread.join()
        with uncaught():
            outputs.append(functional.scaled_dot_product_attention(*sides()))
    assert listing.calls == []
    assert all(torch.equal(output, KERNEL(*sides())) for output in outputs)


def test_who_comes_last_puts_the_name_back() -> None:
    entered, leave = threading.Event(), threading.Event()

    def elsewhere() -> None:
        with catching(Listing(log_sum_exp=False)):
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=elsewhere)
    with catching(Listing(log_sum_exp=False)):
        thread.start()
        assert entered.wait(10)
    assert functional.scaled_dot_product_attention is not KERNEL
    leave.set()
    thread.join()
    assert functional.scaled_dot_product_attention is KERNEL


def test_arguments_may_come_by_position_or_by_name() -> None:
    query, key, value = sides()
    mask = torch.zeros(5, 5)
    by_position = Arguments(query, key, value, mask, 0.0, False, 0.5).call()
    by_name = Arguments(query, key=key, value=value, attn_mask=mask, scale=0.5).call()
    assert by_position.scale == by_name.scale == 0.5
    assert by_position.mask is not None
    assert by_position.mask.shape == (1, 1, 5, 5)
    assert Arguments(query, key, value).call().scale == 4**-0.5


@pytest.mark.parametrize("option", ["is_causal", "enable_gqa"])
def test_what_no_video_model_does_is_refused(option: str) -> None:
    listing: Callable[..., Tensor] = Listing(log_sum_exp=True)
    with pytest.raises(InterplayError, match="causal and grouped-query"):
        listing(KERNEL, *sides(), **{option: True})
