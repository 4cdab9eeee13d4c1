"""`coatcheck signing-key`: a key to sign access tokens by."""

from pathlib import Path

import pytest

from coatcheck.tokens import SigningKeys
from tests.doctor.conftest import coatcheck


@pytest.mark.parametrize("algorithm", ["", "EdDSA", "HS512"])
def test_it_prints_a_key_that_can_be_used(algorithm: str, tmp_path: Path) -> None:
    done = coatcheck("signing-key", *filter(None, [algorithm]), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    keys = SigningKeys.parse(done.stdout, setting="stdout")
    assert keys.first.algorithm.name == (algorithm or "ES256")


def test_an_unknown_algorithm_is_refused(tmp_path: Path) -> None:
    done = coatcheck("signing-key", "none", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("coatcheck signing-key: algorithm: is none of ES256")
