"""One site for all tests: whoever stops a part of it starts it again."""

from collections.abc import Generator

import pytest

from tests.deploy.site import Site, site


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    with site(tmp_path_factory.mktemp("site")) as shop:
        yield shop
