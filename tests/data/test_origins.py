"""Labels of foreign data say where they came from, and keep what their reader said."""

from interplay.data.origins import with_origins
from interplay.data.source import open_source
from interplay.records.clip import Provenance


def test_every_label_that_has_no_origin_is_named_after_its_dataset(make_located, damaged_matrix):
    source = open_source(damaged_matrix.folder, "matrix", ["max_ids=5"])
    said = Provenance("somebody", {"by": "hand"}, "2026-01-01T00:00:00+00:00")
    located = make_located(provenance={"tracks": said}, boxes={})

    provenance = with_origins(located, source).clip.provenance

    assert provenance["tracks"] == said
    assert provenance["caption"].maker == provenance["video"].maker == "matrix dataset"
    assert provenance["caption"].settings["options"]["max_ids"] == 5
    assert "boxes" not in provenance
