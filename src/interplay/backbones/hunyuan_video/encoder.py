"""From prompts and first frames to what the transformer reads of them, as the stock image-to-video pipeline does it.

Two encoders read a prompt: a vision-language model (Llava) that sees the first frame, token by token, and CLIP's text
encoder for one pooled vector. The stock pipeline gives the unconditional prompt a black picture; so does this.

Tokens are ``chat b s`` (the filled template), ``clip b k`` and ``empty b`` (whether the prompt is empty). The text
condition is ``embeddings b j d`` (image stream, then text stream), ``mask b j`` (true for real tokens, which come
first) and ``pooled b e``.

Shape legend: ``b`` prompts, ``s`` tokens of the filled template, ``k`` CLIP's tokens, ``j`` image and text streams,
``d e`` widths, ``y x`` pixel height and width, ``v w`` height and width of the picture that the vision tower sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interplay.backbones.batch import Batch
from interplay.backbones.hunyuan_video.prompts import END_OF_HEADER, Template

if TYPE_CHECKING:
    from diffusers import HunyuanVideoImageToVideoPipeline

# Both from the stock pipeline: CLIP's text length, and the hidden state that is read, two layers before the last.
CLIP_TOKENS = 77
HIDDEN_STATE = -3


class PromptEncoder:
    """The text side of a stock pipeline, batched, and differentiable with respect to both encoders."""

    def __init__(self, pipeline: HunyuanVideoImageToVideoPipeline, template: Template, text_length: int) -> None:
        self.pipeline, self.template, self.text_length = pipeline, template, text_length
        self._end_of_header = pipeline.tokenizer.convert_tokens_to_ids(END_OF_HEADER)
        # Any size will do: black stays black.
        self._black = self._processed(torch.full((1, 3, 8, 8), -1.0))

    def pixels(self, image: Float[Tensor, "b 3 y x"]) -> Float[Tensor, "b 3 v w"]:
        """The picture as the vision tower wants it, from pixels in [-1, 1]."""
        if image.is_meta:  # a rehearsal: there is nothing to look at, only a shape
            return self._black.to("meta").repeat(len(image), 1, 1, 1)
        return self._processed(image).to(image.device)

    def _processed(self, image: Float[Tensor, "b 3 y x"]) -> Float[Tensor, "b 3 v w"]:
        bytes_ = ((image.cpu().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        pictures = [np.asarray(picture) for picture in bytes_.permute(0, 2, 3, 1)]
        return self.pipeline.image_processor(pictures, return_tensors="pt").pixel_values

    def tokenize(self, texts: Sequence[str]) -> Batch:
        """Tokens of plain prompts, on the CPU."""
        clip = self.pipeline.tokenizer_2(
            list(texts), padding="max_length", max_length=CLIP_TOKENS, truncation=True, return_tensors="pt"
        )
        chat = self.template.fill(self.pipeline.tokenizer, texts, self.text_length)
        return Batch({"chat": chat, "clip": clip.input_ids, "empty": torch.tensor([text == "" for text in texts])})

    def embed(self, tokens: Batch, first_frame: Batch) -> Batch:
        """The text condition of prompts and the ``pixels`` of first frames."""
        pixels = first_frame["pixels"]
        black = self._black.to(pixels).expand_as(pixels)
        seen = torch.where(tokens["empty"].view(-1, 1, 1, 1), black, pixels)
        embeddings, mask = self._read(tokens["chat"], seen)
        pooled = self.pipeline.text_encoder_2(tokens["clip"]).pooler_output
        return Batch({"embeddings": embeddings, "mask": mask, "pooled": pooled})

    def _read(
        self, chat: Int[Tensor, "b s"], pixels: Float[Tensor, "b 3 v w"]
    ) -> tuple[Float[Tensor, "b j d"], Bool[Tensor, "b j"]]:
        template = self.template
        hidden = self._hidden(template.with_image(chat), pixels)
        positions = template.text_stream(chat, self._end_of_header)
        # Behind the placeholder, tokens stand further back by what the picture takes.
        shifted = (positions + template.image_tokens - 1)[..., None].expand(-1, -1, hidden.shape[-1])
        text, text_mask = hidden.gather(1, shifted), chat.gather(1, positions) != self._padding
        image = hidden[:, template.image_at : template.image_at + template.image_tokens : template.image_every]
        image_mask = torch.ones(image.shape[:2], dtype=torch.bool, device=image.device)
        return torch.cat([image, text], dim=1), torch.cat([image_mask, text_mask], dim=1)

    def _hidden(self, ids: Int[Tensor, "b e"], pixels: Float[Tensor, "b 3 v w"]) -> Float[Tensor, "b e d"]:
        encoder: Any = self.pipeline.text_encoder
        words = encoder.get_input_embeddings()(ids)
        features = encoder.get_image_features(pixel_values=pixels.to(encoder.dtype)).pooler_output
        real = (ids != self._padding).long()
        # A rehearsal on `meta` can look into no tensor. So the features are put in place here (the model would count
        # its placeholders first), and there the model is not asked whether there is any padding.
        output = encoder(
            inputs_embeds=self.template.with_features(words, torch.stack(list(features)).to(words)),
            attention_mask=None if ids.is_meta else real,
            position_ids=(real.cumsum(dim=-1) - 1).masked_fill(real == 0, 1),
            output_hidden_states=True,
            logits_to_keep=1,  # the next word is nobody's interest
        )
        return output.hidden_states[HIDDEN_STATE]

    @property
    def _padding(self) -> int:
        return self.pipeline.tokenizer.pad_token_id
