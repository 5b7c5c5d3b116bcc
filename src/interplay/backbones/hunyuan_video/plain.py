"""From prompts to what the text-to-video transformer reads of them, as the stock pipeline does it.

A language model (Llama) reads ``<system> instructions <user> PROMPT <end>``, and the transformer what follows the
instructions: the prompt's tokens and the template's last. CLIP's text encoder gives one pooled vector.

Tokens are ``chat b s`` (the filled template), ``real b s`` (1 where it is no padding) and ``clip b k``. The text
condition is ``embeddings b t d``, ``mask b t`` (true for real tokens, which come first) and ``pooled b e``.

Shape legend: ``b`` prompts, ``s`` tokens of the filled template, ``k`` CLIP's tokens, ``t`` text tokens, ``d e``
widths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from interplay.backbones.batch import Batch
from interplay.backbones.hunyuan_video.encoder import CLIP_TOKENS, HIDDEN_STATE
from interplay.backbones.quiet import quiet
from interplay.records.caption import Caption, TokenSpans, token_spans

if TYPE_CHECKING:
    from diffusers import HunyuanVideoPipeline


@dataclass(frozen=True)
class PlainTemplate:
    """A chat template without a picture; ``prefix`` tokens stand before the prompt."""

    text: str
    prefix: int

    @classmethod
    def stock(cls) -> PlainTemplate:
        """The stock text-to-video pipeline's template."""
        with quiet():  # the module remarks on every machine without torchvision
            from diffusers.pipelines.hunyuan_video import pipeline_hunyuan_video as stock

        return cls(stock.DEFAULT_PROMPT_TEMPLATE["template"], stock.DEFAULT_PROMPT_TEMPLATE["crop_start"])

    @property
    def image_stream(self) -> int:
        """No tokens of a picture."""
        return 0

    def spans(self, caption: Caption, tokenizer: Any, text_length: int) -> TokenSpans:
        """Where the caption's labels stand in the text stream, which begins with the prompt's first token."""
        limit = self.prefix + text_length
        return token_spans(caption, tokenizer, limit, template=self.text, crop_start=self.prefix)


class PlainPromptEncoder:
    """The text side of a stock pipeline, batched, and differentiable with respect to both encoders."""

    def __init__(self, pipeline: HunyuanVideoPipeline, template: PlainTemplate, text_length: int) -> None:
        self.pipeline, self.template, self.text_length = pipeline, template, text_length

    def tokenize(self, texts: Sequence[str]) -> Batch:
        """Tokens of plain prompts, on the CPU."""
        options = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
        clip = self.pipeline.tokenizer_2(list(texts), max_length=CLIP_TOKENS, **options)
        filled = [self.template.text.format(text) for text in texts]
        chat = self.pipeline.tokenizer(filled, max_length=self.template.prefix + self.text_length, **options)
        return Batch({"chat": chat.input_ids, "real": chat.attention_mask, "clip": clip.input_ids})

    def embed(self, tokens: Batch, first_frame: Batch) -> Batch:
        """The text condition of prompts; ``first_frame`` is a batch of nothing."""
        chat, real, prefix = tokens["chat"], tokens["real"], self.template.prefix
        # transformers asks whether a mask is all ones, which has no answer on the meta device.
        hidden = self.pipeline.text_encoder(chat, None if real.is_meta else real, output_hidden_states=True)
        return Batch(
            {
                "embeddings": hidden.hidden_states[HIDDEN_STATE][:, prefix:],
                "mask": real[:, prefix:].bool(),
                "pooled": self.pipeline.text_encoder_2(tokens["clip"]).pooler_output,
            }
        )
