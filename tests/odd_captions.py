"""Captions as they come: markup, malformed markup, and all scripts, for tests that try very many of them."""

import random

from hypothesis import strategies as st

FRAGMENTS = (
    *("<", ">", "</", "/>", "<id1>", "</id1>", "<id2>", "</id2>", "<verb>", "</verb>", "<verb2>", "<id0>", "<id1"),
    *("<ID1>", "id1>", "< id1 >", "</ id1>", "<lt>", "<lt>id1>", "<b>", "<man>", "<id>", "<id 3>", "<id99999999999>"),
    *(
        "<<id1>>",
        " ",
        "  ",
        "\n",
        "\u00a0",
        "\u200b",
        "\0",
        "-",
        "'",
        ".",
        "\u201c",
        "man",
        "ball",
        "t-shirt",
        "7",
        "_",
    ),
    *("\u00e9", "e\u0301", "\u0301", "\u7537\u4eba", "\U0001f469\u200d\U0001f373", "\ud83d", "\u0130", "\ufb01"),
)
CAPTIONS = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=3)), max_size=14).map("".join)


def many_captions(count, seed):
    """As many captions, the same for the same seed; drawing them costs far less than searching for them."""
    draw = random.Random(seed)
    for _ in range(count):
        yield "".join(draw.choices(FRAGMENTS, k=draw.randint(0, 14)))
