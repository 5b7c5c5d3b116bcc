from __future__ import annotations

import pytest

from interplay.core.errors import InputError
from interplay.methods.matrix.published import all_published, compared, published_for, published_layers, recognise


def test_every_entry_is_whole_and_has_a_source():
    for entry in all_published():
        for relation in (entry.v2t, entry.v2v):
            named = {relation.noun, relation.verb, *(relation.trained or ())}
            assert named <= set(relation.dominant)
            assert max(relation.dominant) < entry.layers
        assert "2510.07310" in entry.source


def test_layers_are_found_by_name():
    assert published_layers("cogvideox-5b-i2v").v2t.trained == (7, 11)
    assert published_layers("thudm/cogvideox-5b-i2v").v2v.trained == (12,)
    assert published_layers("Wan-AI/Wan2.1-I2V-14B-480P-Diffusers").v2v.dominant == (6, 7, 8)
    with pytest.raises(InputError, match="no published layers"):
        published_layers("cogvideox-2b")


def test_an_architecture_is_recognised_and_its_relatives_are_not(backbone):
    found = recognise("CogVideoXImageToVideoPipeline", 42, (1, 2, 2), 1, 32)
    assert found == published_layers("cogvideox-5b-i2v")
    assert recognise("CogVideoXImageToVideoPipeline", 42, (2, 2, 2), 1, 32) is None  # CogVideoX 1.5
    assert recognise("CogVideoXPipeline", 42, (1, 2, 2), 1, 16) is None  # text to video
    assert recognise("WanImageToVideoPipeline", 40, (1, 2, 2), 2, 36) is None  # Wan 2.2 A14B
    hunyuan = ("HunyuanVideoImageToVideoPipeline", 60, (1, 2, 2), 1)
    assert recognise(*hunyuan, 16) == published_layers("hunyuanvideo-i2v")
    assert recognise(*hunyuan, 33) is None  # the first release, shown the picture in another way
    assert published_for(backbone) is None


def test_chosen_layers_are_compared_with_published_ones():
    told = compared(published_layers("cogvideox-5b-i2v"), {"v2t": [11, 8], "v2v": [30]})
    assert told["shared"] == {"v2t": [11], "v2v": []}
    assert told["v2v"]["trained"] == [12]
