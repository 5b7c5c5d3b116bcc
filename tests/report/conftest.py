"""One plausible run of the whole pipeline, as artifacts of the real formats with made-up numbers."""

import pytest

from report.synthetic import Story, make_story


@pytest.fixture(scope="session")
def story(tmp_path_factory) -> Story:
    return make_story(tmp_path_factory.mktemp("story"))
