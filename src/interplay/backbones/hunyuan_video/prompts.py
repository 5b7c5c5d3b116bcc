"""Where a prompt's tokens stand: inside the stock chat template, and in what the transformer reads of it.

The text encoder reads ``<system> <image> instructions <user> PROMPT <assistant>``; the picture's placeholder becomes
many tokens. The transformer reads some of the picture's tokens (the image stream), then the prompt's and what follows
it without the assistant's header (the text stream). Everything here is index arithmetic on token ids.

Shape legend: ``b`` prompts, ``s`` tokens of the filled template, ``e`` the same with the picture's tokens in place,
``t`` tokens of the text stream, ``d`` the encoder's width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.backbones.quiet import quiet
from interplay.records.caption import Caption, TokenSpans, token_spans

# <|eot_id|> <|start_header_id|> assistant <|end_header_id|>: behind the prompt, and not shown to the transformer.
HEADER_TOKENS = 4
END_OF_HEADER = "<|end_header_id|>"


@dataclass(frozen=True)
class Template:
    """A chat template and the places in it: ``prefix`` tokens stand before the prompt, the picture's is ``image_at``.

    The picture takes ``image_tokens`` tokens in the encoder, of which every ``image_every``-th is shown on.
    """

    text: str
    prefix: int
    image_at: int
    image_tokens: int
    image_every: int

    @classmethod
    def stock(cls, image_tokens: int, image_every: int) -> Template:
        """The stock pipeline's template for a text encoder whose pictures have this many tokens (as released, 576)."""
        with quiet():  # the module remarks on every machine without torchvision
            from diffusers.pipelines.hunyuan_video import pipeline_hunyuan_video_image2video as stock

        places = stock.DEFAULT_PROMPT_TEMPLATE
        return cls(places["template"], places["crop_start"], places["image_emb_start"], image_tokens, image_every)

    @property
    def image_stream(self) -> int:
        """How many of the picture's tokens the transformer reads."""
        return -(-self.image_tokens // self.image_every)

    def for_pipeline(self) -> dict[str, Any]:
        """The ``prompt_template`` that makes the stock pipeline's call agree with this one."""
        return {
            "template": self.text,
            "crop_start": self.prefix,
            "image_emb_start": self.image_at,
            "image_emb_end": self.image_at + self.image_tokens,
            "image_emb_len": self.image_tokens,
        }

    def spans(self, caption: Caption, tokenizer: Any, text_length: int) -> TokenSpans:
        """Where the caption's labels stand in the text stream, which begins with the prompt's first token."""
        limit = self.prefix + text_length
        return token_spans(caption, tokenizer, limit, template=self.text, crop_start=self.prefix)

    def fill(self, tokenizer: Any, texts: Sequence[str], text_length: int) -> Int[Tensor, "b s"]:
        """Token ids of the filled template, padded or cut so that the text stream has ``text_length`` tokens."""
        encoded = tokenizer(
            [self.text.format(text) for text in texts],
            padding="max_length",
            max_length=self.prefix + text_length + HEADER_TOKENS,
            truncation=True,
            return_tensors="pt",
        )
        return encoded.input_ids

    def with_image(self, ids: Int[Tensor, "b s"]) -> Int[Tensor, "b e"]:
        """The same with as many placeholders as the picture has tokens."""
        before, placeholder, after = ids.split([self.image_at, 1, ids.shape[1] - self.image_at - 1], dim=1)
        return torch.cat([before, placeholder.expand(-1, self.image_tokens), after], dim=1)

    def with_features(self, words: Float[Tensor, "b e d"], features: Float[Tensor, "b n d"]) -> Float[Tensor, "b e d"]:
        """Embeddings of such ids with the picture's ``n = image_tokens`` features in place of its placeholders."""
        return torch.cat([words[:, : self.image_at], features, words[:, self.image_at + self.image_tokens :]], dim=1)

    def text_stream(self, ids: Int[Tensor, "b s"], end_of_header: int) -> Int[Tensor, "b t"]:
        """Positions of the text stream's tokens: from the prompt on, without the assistant's header.

        Where a long prompt cut that header off, the last tokens fall away in its place, as in the stock pipeline.
        """
        length = ids.shape[1]
        ends = ids == end_of_header
        last = torch.where(ends, torch.arange(length, device=ids.device), 0).amax(dim=1)
        header_stop = torch.where(ends.sum(dim=1) >= 3, last + 1, length)  # the system's, the user's, the assistant's
        positions = torch.arange(self.prefix, length - HEADER_TOKENS, device=ids.device)
        behind = positions >= header_stop[:, None] - HEADER_TOKENS
        return positions + HEADER_TOKENS * behind
