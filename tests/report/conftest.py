"""A study that several files of tests look at."""

import pytest
import study


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The folder of a study for which every script has run. Not to be changed."""
    place = tmp_path_factory.mktemp("study")
    return study.run_scripts(place, study.build(place))
