"""One site for all tests that do not break it for others."""

from collections.abc import Generator

import pytest

from tests.deploy.site import Site, site


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    with site(tmp_path_factory.mktemp("site")) as shop:
        yield shop
