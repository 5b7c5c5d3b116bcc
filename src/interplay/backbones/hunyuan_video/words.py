"""The tokenizers of the tiny HunyuanVideo: every word of the world and of the stock prompt template is one token.

Llama 3's rules for what is a piece of text hold (a number never takes the space before it, line breaks stand together),
so the stock template has the same number of tokens as in the released models, and the prompt starts where the stock
pipeline looks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interplay.backbones.words import MAX_MARKERS
from interplay.world.captions import vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

START, END, PAD, UNKNOWN, IMAGE = "<|begin_of_text|>", "<|end_of_text|>", "<pad>", "<unk>", "<image>"
_HEADERS = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
_PIECE = r" (?=\p{N})|\n+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]+"


def chat_tokenizer(template: str) -> PreTrainedTokenizerFast:
    """Tokenizer of the vision-language model: opens with a start token, ends with nothing."""
    return _build(template, f"{START} $A")


def caption_tokenizer(template: str) -> PreTrainedTokenizerFast:
    """Tokenizer of the pooled text encoder, with the same ids: opens with a start token, ends with an end token."""
    return _build(template, f"{START} $A {END}")


def _build(template: str, framed: str) -> PreTrainedTokenizerFast:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = pre_tokenizers.Split(Regex(_PIECE), behavior="removed", invert=True)
    words = sorted({piece for text in (template, *vocabulary()) for piece, _ in pieces.pre_tokenize_str(text)})
    markers = [f"<id{k}>" for k in range(1, MAX_MARKERS + 1)]
    known = dict.fromkeys([UNKNOWN, START, END, PAD, IMAGE, *_HEADERS, *markers, *words])
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(known)}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pieces
    tokenizer.post_processor = processors.TemplateProcessing(
        single=framed, special_tokens=[(START, tokenizer.token_to_id(START)), (END, tokenizer.token_to_id(END))]
    )
    tokenizer.add_tokens(markers)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=UNKNOWN,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[IMAGE, *_HEADERS],
        padding_side="right",
    )
