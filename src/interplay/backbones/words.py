"""The tokenizer of the tiny backbones: every word of the embedded world is one token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interplay.world.captions import vocabulary

if TYPE_CHECKING:
    from transformers import T5Tokenizer

MAX_MARKERS = 9


def word_tokenizer() -> T5Tokenizer:
    """A T5 tokenizer that knows every word of the world as one piece; other words become ``<unk>``."""
    from transformers import T5Tokenizer

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -8.0)]
    pieces += [(f"▁{word}", -2.0) for word in vocabulary()]
    tokenizer = T5Tokenizer(vocab=pieces, extra_ids=0)
    tokenizer.add_tokens([f"<id{k}>" for k in range(1, MAX_MARKERS + 1)])
    return tokenizer
