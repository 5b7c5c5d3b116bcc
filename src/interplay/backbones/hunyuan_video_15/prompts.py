"""From prompts to what the transformer reads of them, as the stock pipelines do it.

A language model (Qwen2.5-VL) reads ``<system> instructions <user> PROMPT <assistant>``, and the transformer what
follows the instructions. What a prompt has in quotation marks is to be written in the video; a second encoder (ByT5)
spells it, and its tokens, the glyphs, stand before the prompt's.

Tokens are ``chat b s`` (the filled template), ``real b s`` (1 where it is no padding), ``spelled b g`` and
``spelled_real b g`` (all 0 where nothing is quoted). The text condition is ``embeddings b t d`` and ``mask b t`` of the
prompt, ``glyphs b g e`` and ``glyphs_mask b g``; masks are true for real tokens, which come first.

Shape legend: ``b`` prompts, ``s`` tokens of the filled template, ``g`` glyph tokens, ``t`` prompt tokens, ``d e``
widths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int
from torch import Tensor

from interplay.backbones.batch import Batch
from interplay.backbones.quiet import quiet
from interplay.records.caption import Caption, TokenSpans, token_spans

if TYPE_CHECKING:
    from diffusers import HunyuanVideo15ImageToVideoPipeline, HunyuanVideo15Pipeline

# All from the stock pipelines: glyph tokens, prompt tokens, and the hidden state that is read, two layers before the
# last.
_GLYPH_TOKENS = 256
PROMPT_TOKENS = 1000
_HIDDEN_STATE = -3


def glyph_tokens(pipeline: HunyuanVideo15Pipeline | HunyuanVideo15ImageToVideoPipeline) -> int:
    """How many glyph tokens there is room for: as many as released, unless the tokenizer takes fewer."""
    return min(_GLYPH_TOKENS, int(pipeline.tokenizer_2.model_max_length))


class PromptEncoder:
    """The text side of a stock pipeline, batched, and differentiable with respect to both encoders.

    The text stream has room for the glyphs and for the prompt, ``text_length`` tokens in all.
    """

    def __init__(self, pipeline: HunyuanVideo15Pipeline | HunyuanVideo15ImageToVideoPipeline, text_length: int) -> None:
        self.pipeline = pipeline
        self.glyph_tokens = glyph_tokens(pipeline)
        self.prompt_tokens = text_length - self.glyph_tokens
        self._prefix = int(pipeline.prompt_template_encode_start_idx)

    def spans(self, caption: Caption) -> TokenSpans:
        """Where the caption's labels stand in the text stream: behind the glyphs, if there are any."""
        template = self.pipeline.tokenizer.apply_chat_template(
            self._chat("{}"), tokenize=False, add_generation_prompt=True
        )
        limit = self._prefix + self.prompt_tokens
        found = token_spans(caption, self.pipeline.tokenizer, limit, template=template, crop_start=self._prefix)
        glyphs = int(self._spell([caption.text])[1].sum())
        return TokenSpans(
            {label: tuple(place + glyphs for place in places) for label, places in found.tokens.items()}, found.cut
        )

    def tokenize(self, texts: Sequence[str]) -> Batch:
        """Tokens of plain prompts, on the CPU."""
        chat = self.pipeline.tokenizer.apply_chat_template(
            [self._chat(text) for text in texts],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            padding="max_length",
            max_length=self._prefix + self.prompt_tokens,
            truncation=True,
            return_tensors="pt",
        )
        spelled, real = self._spell(texts)
        return Batch(
            {"chat": chat["input_ids"], "real": chat["attention_mask"], "spelled": spelled, "spelled_real": real}
        )

    def embed(self, tokens: Batch) -> Batch:
        """The text condition of prompts."""
        chat, real = tokens["chat"], tokens["real"]
        spelled, spelled_real = tokens["spelled"], tokens["spelled_real"]
        # transformers asks whether a mask is all ones, which has no answer on the meta device.
        seen, spelled_seen = (None, None) if chat.is_meta else (real, spelled_real.float())
        hidden = self.pipeline.text_encoder(input_ids=chat, attention_mask=seen, output_hidden_states=True)
        glyphs = self.pipeline.text_encoder_2(input_ids=spelled, attention_mask=spelled_seen)[0]
        return Batch(
            {
                "embeddings": hidden.hidden_states[_HIDDEN_STATE][:, self._prefix :],
                "mask": real[:, self._prefix :].bool(),
                "glyphs": glyphs * spelled_real[..., None],
                "glyphs_mask": spelled_real.bool(),
            }
        )

    def _chat(self, text: str) -> list[dict[str, Any]]:
        # An empty prompt is a space, as in the stock pipelines.
        return [
            {"role": "system", "content": self.pipeline.system_message},
            {"role": "user", "content": text or " "},
        ]

    def _spell(self, texts: Sequence[str]) -> tuple[Int[Tensor, "b g"], Int[Tensor, "b g"]]:
        """Glyph tokens of what the texts quote, and which of them are real."""
        with quiet():  # the module remarks on every machine without torchvision
            from diffusers.pipelines.hunyuan_video1_5.pipeline_hunyuan_video1_5 import extract_glyph_texts

        quoted = [extract_glyph_texts(text) for text in texts]
        spelled = self.pipeline.tokenizer_2(
            [text or "" for text in quoted],
            padding="max_length",
            max_length=self.glyph_tokens,
            truncation=True,
            return_tensors="pt",
        )
        any_quoted = torch.tensor([text is not None for text in quoted])
        return spelled.input_ids, spelled.attention_mask * any_quoted[:, None]
