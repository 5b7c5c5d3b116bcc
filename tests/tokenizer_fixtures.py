"""Small tokenizers of the kinds that video models use, trained here on a few sentences: T5, umT5, Llama 2 and 3, CLIP.

They are real classes of ``transformers`` where it has one for the kind; what differs between the kinds is what trips
over offsets: where the space of a word goes, what a normaliser does to it, and what becomes of unknown characters.
"""

import json
from functools import cache

from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import BPE, Unigram
from transformers import LlamaTokenizer, PreTrainedTokenizerFast, T5Tokenizer

SENTENCES = (
    "a man pushes the green ball to a woman",
    "the woman in a white coat takes a strawberry from the man's hand",
    "a man, who waves, lifts a large box near a truck",
    "the dog runs; the cat sits on the table",
    "she puts the target mug on the table",
) * 5
_LETTERS = list("abcdefghijklmnopqrstuvwxyz.,;'-0123456789")
# The split of Llama 3, shortened: a word takes the space before it along.
_LLAMA3_WORDS = r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


@cache
def _unigram_vocabulary(metaspace_first):
    tokenizer = Tokenizer(Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=metaspace_first)
    specials = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=110, special_tokens=specials, unk_token="<unk>", initial_alphabet=_LETTERS, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return [(piece, score) for piece, score in json.loads(tokenizer.to_str())["model"]["vocab"]]


def t5():
    """SentencePiece Unigram: white space splits, every word begins with the metaspace, NFKC."""
    tokenizer = T5Tokenizer(vocab=_unigram_vocabulary("always"), extra_ids=0)
    tokenizer.backend_tokenizer.normalizer = normalizers.NFKC()
    return tokenizer


def umt5():
    """As :func:`t5`, with white space kept as runs of metaspaces and stripped at the ends, as umT5's file has it."""
    tokenizer = T5Tokenizer(vocab=_unigram_vocabulary("always"), extra_ids=0)
    steps = [
        normalizers.NFKC(),
        normalizers.Strip(left=False, right=True),
        normalizers.Replace(Regex(" {2,}"), "\u2581"),
    ]
    tokenizer.backend_tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    return tokenizer


def lower_case_t5():
    """A normaliser that changes lengths: lower case, accents away."""
    tokenizer = T5Tokenizer(vocab=_unigram_vocabulary("always"), extra_ids=0)
    steps = [normalizers.NFKD(), normalizers.Lowercase(), normalizers.StripAccents()]
    tokenizer.backend_tokenizer.normalizer = normalizers.Sequence(steps)
    return tokenizer


@cache
def _byte_fallback_model():
    tokenizer = Tokenizer(BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    words = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.Punctuation()])
    specials = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=specials, initial_alphabet=_LETTERS, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(merge) for merge in model["merges"]]


def llama2(add_prefix_space=True, by_normaliser=False):
    """SentencePiece BPE with byte fallback and a leading BOS; its older files put the metaspaces by a normaliser."""
    vocabulary, merges = _byte_fallback_model()
    tokenizer = LlamaTokenizer(vocab=vocabulary, merges=merges, add_prefix_space=add_prefix_space, pad_token="<unk>")
    backend = tokenizer.backend_tokenizer
    if by_normaliser:
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
        backend.pre_tokenizer = None
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def llama3():
    """Byte-level BPE with Llama 3's split and a leading BOS."""
    words = pre_tokenizers.Split(Regex(_LLAMA3_WORDS), "isolated")
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    after = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    return _byte_level(pre_tokenizers.Sequence([words, bytes_]), [processors.ByteLevel(trim_offsets=False), after])


def byte_level(add_prefix_space=True, trim_offsets=True):
    """Byte-level BPE that puts a space before the text, as RoBERTa's, and moves offsets to make up for it, or not."""
    after = processors.ByteLevel(trim_offsets=trim_offsets, add_prefix_space=add_prefix_space)
    return _byte_level(pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space), [after])


def _byte_level(pre_tokenizer, post_processors):
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360,
        special_tokens=["<pad>", "<bos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.Sequence(post_processors)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>")


KINDS = {
    "t5": t5,
    "umt5": umt5,
    "t5, lower case": lower_case_t5,
    "llama 2": llama2,
    "llama 2, no prefix space": lambda: llama2(add_prefix_space=False),
    "llama 2, by normaliser": lambda: llama2(by_normaliser=True),
    "llama 3": llama3,
    "byte level": byte_level,
    "byte level, offsets untrimmed": lambda: byte_level(trim_offsets=False),
    "byte level, no prefix space": lambda: byte_level(add_prefix_space=False),
}
