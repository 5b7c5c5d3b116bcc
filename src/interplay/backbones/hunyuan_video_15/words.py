"""The tokenizer of the tiny HunyuanVideo-1.5: every word of the world and of the stock prompt template is one token.

Qwen2's rules for what is a piece of text hold (a word takes the space before it along, a number does not), so the stock
template has the same number of tokens as in the released models, and the prompt starts where the stock pipeline looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interplay.backbones.words import MAX_MARKERS
from interplay.world.captions import vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

START, END, PAD, UNKNOWN = "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<unk>"
# Shortened from Qwen2's tokenizer, which has the same pieces for these texts.
_PIECE = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# Qwen2's chat format without tools.
_CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def chat_tokenizer(system_message: str) -> PreTrainedTokenizerFast:
    """The tokenizer, with its chat template; it knows the words of this message too."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = pre_tokenizers.Split(Regex(_PIECE), behavior="isolated")
    texts = (system_message, "system\n", "\n", "user\n", "assistant\n", *_spaced(vocabulary()), '"', ' "', ".", ",")
    words = sorted({piece for text in texts for piece, _ in pieces.pre_tokenize_str(text)})
    markers = [f"<id{k}>" for k in range(1, MAX_MARKERS + 1)]
    known = dict.fromkeys([UNKNOWN, START, END, PAD, *markers, *words])
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(known)}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pieces
    tokenizer.add_tokens(markers)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=UNKNOWN,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[START],
        padding_side="right",
        chat_template=_CHAT,
    )


def _spaced(words: tuple[str, ...]) -> list[str]:
    """Every word as it begins a text, and as it follows another."""
    return [text for word in words for text in (word, f" {word}")]
