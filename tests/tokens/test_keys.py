"""What may sign tokens, and what may check them (RFC 7517, RFC 8725 3.5; R-091)."""

import json
import os
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from coatcheck.core.base64url import encode
from coatcheck.errors import ConfigurationError
from coatcheck.tokens import PublicKeys, SigningKeys
from coatcheck.tokens.algorithm import ALGORITHMS
from tests.tokens.forge import signing

EC = {**ECKey.generate_key("P-256").as_dict(private=True), "alg": "ES256"}
SECRET_PARTS = {"d", "p", "q", "dp", "dq", "qi", "k"}


def refusal(jwk: dict[str, Any] | str) -> str:
    text = jwk if isinstance(jwk, str) else json.dumps(jwk)
    with pytest.raises(ConfigurationError) as caught:
        SigningKeys(text, setting="SHOP_KEYS")
    assert caught.value.setting == "SHOP_KEYS"
    held = {} if isinstance(jwk, str) else jwk
    secrets = [held[name] for name in SECRET_PARTS.intersection(held) if held[name]]
    assert not any(secret in str(caught.value) for secret in secrets)
    return caught.value.problem


def of_bytes(raw: bytes, algorithm: str = "HS256") -> dict[str, str]:
    return {"kty": "oct", "k": encode(raw), "alg": algorithm, "kid": "one"}


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_a_new_key_is_one_line_and_is_read_again(algorithm: str) -> None:
    text = SigningKeys.new_key(algorithm)
    assert "\n" not in text
    key = SigningKeys(text).first
    assert (key.algorithm.name, key.signs) == (algorithm, True)
    assert SigningKeys.new_key(algorithm) != text


def test_a_key_that_is_too_short_is_refused() -> None:
    """R-091."""
    assert refusal(of_bytes(os.urandom(31))) == "key 1 has 248 bits, HS256 needs 256"
    assert refusal(of_bytes(os.urandom(63), "HS512")) == "key 1 has 504 bits, HS512 needs 512"
    assert refusal({**of_bytes(b""), "k": ""}) == "key 1 has 0 bits, HS256 needs 256"
    rsa = {**RSAKey.generate_key(2048).as_dict(private=True), "alg": "RS256"}
    assert refusal(rsa) == "key 1 has 2048 bits, RS256 needs 3072"


@pytest.mark.parametrize(
    "secret",
    [b"correct horse battery staple correct horse", b"\0" * 32, bytes(range(32)), b"ab" * 32],
)
def test_a_secret_that_is_not_random_is_refused(secret: bytes) -> None:
    """R-091. A password, zeros, a pattern."""
    assert refusal(of_bytes(secret)).startswith("key 1 is not random")


def test_a_certificate_is_no_shared_secret() -> None:
    """R-091. Whoever reads the public key could sign."""
    pem = RSAKey.generate_key(3072).as_pem(private=False)
    assert refusal(of_bytes(pem)).startswith("key 1 is not random")
    assert refusal(pem.decode()).startswith("key 1 is PEM, not a JWK")


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"alg": "none"}, "key 1 is for no algorithm that is used here"),
        ({"alg": "ES256K"}, "key 1 is for no algorithm that is used here"),
        ({"alg": ["ES256"]}, "key 1 is for no algorithm that is used here"),
        ({"alg": "RS256"}, "key 1 is no RSA key, as RS256 needs"),
        ({"alg": "HS256"}, "key 1 is no oct key, as HS256 needs"),
        ({"crv": "P-384"}, "key 1 is not on the curve P-256, as ES256 needs"),
        ({"x": encode(b"\1" * 32)}, "key 1 is no good EC key"),
        ({"x": "!"}, "key 1 is no good EC key"),
        ({"use": "enc"}, "key 1 is not for signatures"),
        ({"key_ops": ["deriveKey"]}, "key 1 is not for signatures"),
        ({"key_ops": "sign"}, "key 1 is not for signatures"),
        ({"key_ops": None}, "key 1 is not for signatures"),
        ({"key_ops": 5}, "key 1 is not for signatures"),
        ({"key_ops": [["sign"]]}, "key 1 is not for signatures"),
        ({"kid": ""}, "key 1 has no kid: a text of 1 to 200 characters"),
        ({"kid": "x" * 201}, "key 1 has no kid: a text of 1 to 200 characters"),
        ({"kid": 1}, "key 1 has no kid: a text of 1 to 200 characters"),
    ],
    ids=repr,
)
def test_a_key_that_cannot_be_used_stops_the_start(wrong: dict[str, Any], problem: str) -> None:
    """R-091: its kind, its curve, a point that is not on it, its one purpose."""
    assert refusal({**EC, **wrong}).startswith(problem)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
def test_two_halves_of_different_keys_are_no_key(algorithm: str) -> None:
    """Fails when nobody takes what is signed by it: its published half is another's."""
    one: dict[str, Any] = json.loads(SigningKeys.new_key(algorithm))
    other: dict[str, Any] = json.loads(SigningKeys.new_key(algorithm))
    assert refusal({**one, "d": other["d"]}).startswith("key 1 ")


def test_an_exponent_that_is_too_small_is_refused() -> None:
    (jwk,) = signing("RS256").jwks()["keys"]
    with pytest.raises(ConfigurationError, match="holds no key that is used here"):
        PublicKeys({"keys": [{**jwk, "e": "Aw"}]})


@pytest.mark.parametrize(("one", "two"), [("EdDSA", "Ed25519"), ("HS256", "HS256")])
def test_one_key_has_one_purpose(one: str, two: str) -> None:
    """R-091. Under two ids, or for two algorithms."""
    made = json.loads(SigningKeys.new_key(one))
    twin = {**made, "alg": two, "kid": "another"}
    with pytest.raises(ConfigurationError, match="holds the key 'another' twice"):
        SigningKeys(json.dumps(made), json.dumps(twin))


def test_an_error_does_not_hold_the_key() -> None:
    """Fails when a page of errors that shows causes or variables shows it."""
    secret = json.loads(SigningKeys.new_key())["d"]
    with pytest.raises(ConfigurationError) as caught:
        SigningKeys(f'{{"d": "{secret}"')
    error: BaseException | None = caught.value
    while error is not None:
        assert secret not in repr(vars(error))
        error = error.__cause__ or error.__context__


def test_a_curve_of_another_algorithm_is_refused() -> None:
    assert refusal(
        {**OKPKey.generate_key("X25519").as_dict(private=True), "alg": "EdDSA"}
    ).startswith("key 1 is not on the curve Ed25519")


def test_a_public_key_signs_nothing() -> None:
    public = {name: value for name, value in EC.items() if name != "d"}
    assert refusal(public).startswith("key 1 is a public key")


def test_a_set_of_keys_is_not_empty_and_names_each_once() -> None:
    for text in ("", "\n", "# none yet\n"):
        with pytest.raises(ConfigurationError, match="SHOP_KEYS: holds no key; make one with"):
            SigningKeys.parse(text, setting="SHOP_KEYS")
    one = {**EC, "kid": "one"}
    other = {**json.loads(SigningKeys.new_key()), "kid": "one"}
    with pytest.raises(ConfigurationError, match="SHOP_KEYS: names two keys 'one'"):
        SigningKeys(json.dumps(one), json.dumps(other), setting="SHOP_KEYS")
    with pytest.raises(ConfigurationError, match="names two keys"):
        SigningKeys(json.dumps(EC), json.dumps(EC))


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"kty": "EC", "kty": "EC"}', "\ud800"])
def test_what_is_no_jwk_is_refused(text: str) -> None:
    assert refusal(text).startswith("key 1 is no JWK, a JSON object on one line; make one with")


def test_keys_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    new, old = SigningKeys.new_key("EdDSA"), SigningKeys.new_key()
    monkeypatch.setenv("COATCHECK_SIGNING_KEYS", f"# signs\n{new}\n\n  {old}\n")
    keys = SigningKeys.from_env()
    assert [key["kid"] for key in keys.jwks()["keys"]] == [
        json.loads(each)["kid"] for each in (new, old)
    ]
    assert keys.first.algorithm.name == "EdDSA"
    monkeypatch.delenv("COATCHECK_SIGNING_KEYS")
    with pytest.raises(
        ConfigurationError, match="COATCHECK_SIGNING_KEYS: is not set; make one with"
    ):
        SigningKeys.from_env()


def test_a_key_without_an_id_is_called_by_its_thumbprint() -> None:
    """RFC 7638. A secret's would tell who guesses it that they are right."""
    unnamed = {name: value for name, value in EC.items() if name != "kid"}
    keys = SigningKeys(json.dumps(unnamed))
    assert keys.first.id == ECKey.import_key(unnamed).thumbprint()
    secret = of_bytes(os.urandom(32))
    del secret["kid"]
    assert refusal(secret).startswith("key 1 has no kid")
    made = json.loads(SigningKeys.new_key("HS256"))
    assert made["kid"] != OctKey.import_key(made).thumbprint()


def test_what_is_published_holds_no_secret() -> None:
    keys = SigningKeys(*(SigningKeys.new_key(each) for each in ALGORITHMS))
    published = keys.jwks()["keys"]
    assert [key["alg"] for key in published] == ["ES256", "EdDSA", "Ed25519", "RS256"]
    assert all(SECRET_PARTS.isdisjoint(key) for key in published)
    assert all(key["use"] == "sig" for key in published)
    with pytest.raises(ConfigurationError, match="symmetric"):
        signing("HS256").jwks()


def test_what_shows_a_key_shows_no_secret() -> None:
    made = json.loads(SigningKeys.new_key())
    keys = SigningKeys(json.dumps(made))
    for shown in (repr(keys), repr(keys.first), repr(PublicKeys(keys.jwks()))):
        assert made["kid"] in shown
        assert made["d"] not in shown


def test_who_checks_tokens_has_no_secret() -> None:
    """Fails when one that could sign is taken where a public one is meant."""
    rsa = json.loads(SigningKeys.new_key("RS256"))
    del rsa["d"]
    for jwk in (EC, of_bytes(os.urandom(32)), rsa):
        with pytest.raises(ConfigurationError, match="jwks: holds a secret key"):
            PublicKeys({"keys": [jwk]})


def test_keys_that_are_not_known_here_are_passed_over() -> None:
    """RFC 7517 5. Others' sets hold keys for other purposes."""
    usable = signing("ES256").jwks()["keys"]
    others = [
        {"kty": "EC", "crv": "P-521", "alg": "ES512", "x": "AA", "y": "AA", "kid": "a"},
        {**usable[0], "use": "enc", "kid": "b"},
        {"kty": "new"},
    ]
    keys = PublicKeys({"keys": [*others, *usable]})
    assert keys.find(usable[0]["kid"]) is not None
    assert (keys.find("a"), keys.find("b")) == (None, None)
    with pytest.raises(ConfigurationError, match="jwks: holds no key that is used here"):
        PublicKeys({"keys": others})


@pytest.mark.parametrize(
    ("algorithm", "kty"), [("ES256", "EC"), ("EdDSA", "OKP"), ("RS256", "RSA")]
)
def test_a_public_key_may_leave_out_what_it_is_for(algorithm: str, kty: str) -> None:
    """RFC 7517 4.4: it is then for the one algorithm of its kind."""
    (jwk,) = signing(algorithm).jwks()["keys"]
    bare = {name: value for name, value in jwk.items() if name not in ("alg", "use")}
    key = PublicKeys({"keys": [bare]}).find(jwk["kid"])
    assert key is not None
    assert (bare["kty"], key.algorithm.name) == (kty, algorithm)


@pytest.mark.parametrize(
    "jwks", [{}, {"keys": {}}, {"keys": "none"}, {"keys": []}, {"keys": [1]}], ids=repr
)
def test_what_is_no_set_of_keys_is_refused(jwks: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="jwks: is no JWK Set"):
        PublicKeys(jwks)


def test_a_set_of_keys_is_read_from_its_text() -> None:
    jwks = signing("ES256").jwks()
    assert repr(PublicKeys.parse(json.dumps(jwks))) == repr(PublicKeys(jwks))
    for text in (b"\xff", "", "[]", '{"keys": [], "keys": []}', "\ud800"):
        with pytest.raises(ConfigurationError, match="jwks: cannot be read"):
            PublicKeys.parse(text)
    with pytest.raises(ConfigurationError, match="jwks: holds 101 keys, over 100"):
        PublicKeys({"keys": jwks["keys"] * 101})


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="algorithm: is none of ES256, EdDSA"):
        SigningKeys.new_key("none")
