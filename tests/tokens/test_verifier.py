"""Which access tokens are believed (RFC 8725, RFC 9068 4; R-084 to R-090, R-092)."""

import hashlib
import hmac
import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from joserfc.jwk import RSAKey

from coatcheck.core.base64url import decode, encode
from coatcheck.errors import ConfigurationError, InvalidToken
from coatcheck.tokens import PublicKeys, SigningKeys, Verifier
from coatcheck.tokens.algorithm import ALGORITHMS
from tests.tokens.forge import AUDIENCE, GOOD, ISSUER, NOW, forge, raw, signing

KEYS = signing("ES256")
KEY = KEYS.first
NOT_OF, NOT_FOR = f"it is not of {ISSUER!r}", f"it is not for {AUDIENCE!r}"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256 (SEC 2)."""


def shown(each: object) -> str:
    return repr(each)[:50]


def verifier(keys: Any = KEYS, now: float = NOW + 1, **options: Any) -> Verifier:
    return Verifier(ISSUER, audience=AUDIENCE, keys=keys, clock=lambda: now, **options)


def refusal(token: str, keys: Any = KEYS, now: float = NOW + 1, **options: Any) -> str:
    with pytest.raises(InvalidToken) as caught:
        verifier(keys, now, **options).verify(token)
    assert token[:20] not in str(caught.value) or not token
    return caught.value.problem


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_a_token_of_each_algorithm_is_believed_and_of_another_key_is_not(algorithm: str) -> None:
    keys, others = signing(algorithm), signing(algorithm)
    token = forge(keys.first)
    assert verifier(keys).verify(token).subject == "alice"
    if not keys.first.algorithm.is_symmetric:
        assert verifier(PublicKeys(keys.jwks())).verify(token).subject == "alice"
    stranger = forge(others.first, header={"kid": keys.first.id})
    assert refusal(stranger, keys) == "its signature is wrong"


@pytest.mark.parametrize(
    "name", ["none", "None", "nOnE", "", None, 1, ["ES256"], "ES256K"], ids=shown
)
def test_none_is_no_algorithm(name: Any) -> None:
    """R-084. With a signature and without."""
    token = forge(KEY, header={"alg": name})
    assert refusal(token) == "its algorithm is not its key's"
    assert refusal(token[: token.rindex(".") + 1]) == "its algorithm is not its key's"


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_a_key_is_for_one_algorithm(name: str) -> None:
    """R-084. Fails when the token's word for it is taken."""
    for other in [signing(each) for each in ALGORITHMS if each != name]:
        assert refusal(forge(other.first, header={"alg": name}), other) == (
            "its algorithm is not its key's"
        )


@pytest.mark.parametrize("algorithm", ["HS256", "HS512"])
def test_a_public_key_is_no_shared_secret(algorithm: str) -> None:
    """R-084. A token that is signed by the published key, as by a secret."""
    keys = signing("RS256")
    public = keys.first.jwk
    pem = RSAKey.import_key(public).as_pem(private=False)
    for secret in (pem, raw(public), public["n"].encode(), decode(public["n"])):
        head = raw({"alg": algorithm, "kid": keys.first.id, "typ": "at+jwt"})
        signed = f"{encode(head)}.{encode(raw(GOOD))}"
        digest = hashlib.sha256 if algorithm == "HS256" else hashlib.sha512
        made = hmac.digest(secret, signed.encode(), digest)
        assert refusal(f"{signed}.{encode(made)}", keys) == "its algorithm is not its key's"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    asked: list[object] = []

    def ask(*where: object) -> None:
        asked.append(where)

    monkeypatch.setattr(socket.socket, "connect", ask)
    monkeypatch.setattr(socket, "getaddrinfo", ask)
    yield asked
    assert asked == []


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
def test_a_token_brings_no_key_along(name: str, no_network: list[object]) -> None:
    """R-085. Neither is it used, nor is anybody asked for it."""
    own = signing("ES256").first
    values = {"jwk": own.jwk, "jku": "https://evil.example/jwks", "x5u": "https://evil.example/x"}
    value = values.get(name, ["MIIB"])
    for kid in (KEY.id, own.id):
        token = forge(own, header={name: value, "kid": kid})
        assert refusal(token) == "its header asks for what is not done here"
    assert refusal(forge(KEY, header={name: value})) == "its header asks for what is not done here"


@pytest.mark.parametrize(
    "id", ["../../dev/null", "' OR 1=1 --", "x" * 10_000, "", None, 1, [], {}, True], ids=shown
)
def test_a_key_id_is_looked_up_and_nothing_else(id: Any) -> None:
    """R-086. No id: no key, even where there is only one."""
    token = forge(KEY, header={"kid": id})
    too_long = len(token) > 8_192
    assert refusal(token) == (
        "it is too long" if too_long else "no key that is known here signed it"
    )


def test_another_issuers_key_is_not_known() -> None:
    """R-086."""
    assert refusal(forge(signing("ES256").first)) == "no key that is known here signed it"


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"b64": False},
        {"b64": True},
        {"zip": "DEF"},
        {"enc": "A128GCM"},
    ],
    ids=shown,
)
def test_what_is_critical_and_unknown_is_refused(header: dict[str, Any]) -> None:
    """R-087."""
    assert refusal(forge(KEY, header=header)) == "its header asks for what is not done here"


def test_the_form_of_a_token_is_one() -> None:
    """R-087, R-092. Fails when a text is read in spite of what it is."""
    good = forge(KEY)
    head, body, signature = good.split(".")
    wrong = [
        "", ".", "..", "...", good + ".", "." + good, good[:-1], head, f"{head}.{body}",
        good + "=", good + "\n", " " + good, good.replace(".", " ."), f"{head}..{signature}",
        f"{head}.{body}.{signature}.{signature}.{signature}", good.replace("e", "é", 1),
        f"{head}=.{body}.{signature}", f"{head}.{body}.{signature[:40]}\n{signature[40:]}",
        raw({"payload": body, "protected": head, "signature": signature}).decode(), "\ud800" + good,
    ]  # fmt: skip
    for text in wrong:
        assert refusal(text) in (
            "it is no signed token",
            "its signature is wrong",
            "its payload is no JSON object",
        ), text
    assert verifier().verify(good).id == "one"


def test_what_costs_much_to_read_is_not_read_before_it_is_known_who_wrote_it() -> None:
    """Fails when a header of 8 kB is parsed, nested as deeply as that."""
    deep = b'{"alg":"ES256","kid":"x","typ":"at+jwt","x":' + b"[" * 1_000 + b"]" * 1_000 + b"}"
    assert refusal(forge(KEY, header=deep)) == "its header is too long"
    assert refusal(forge(KEY, b'{"x":' + b"[" * 2_500 + b"]" * 2_500 + b"}")) in (
        "its payload is no JSON object",
        f"it is not of {ISSUER!r}",
    )


def test_a_member_that_is_there_twice_is_refused() -> None:
    """R-087. Whoever reads the first and whoever reads the last would see two tokens."""
    twice = raw({"alg": "ES256", "kid": KEY.id, "typ": "at+jwt"})[:-1] + b', "alg": "none"}'
    assert refusal(forge(KEY, header=twice)) == "it is no signed token"
    said = raw(GOOD)[:-1] + b', "sub": "mallory"}'
    assert refusal(forge(KEY, said)) == "its payload is no JSON object"
    nested = raw({**GOOD, "act": {}})[:-2] + b'"sub": "a", "sub": "b"}}'
    assert refusal(forge(KEY, nested)) == "its payload is no JSON object"


@pytest.mark.parametrize(
    "said",
    [
        b"[]",
        b"1",
        b"",
        b"{",
        b"\xff",
        b"[" * 700,
        b'{"exp": NaN}',
        '{"a": 1}'.encode("utf-16"),
        b'{"exp": Infinity}',
    ],
    ids=shown,
)
def test_what_is_no_json_object_is_refused(said: bytes) -> None:
    assert refusal(forge(KEY, said)) == "its payload is no JSON object"
    assert refusal(forge(KEY, header=said)) == "it is no signed token"


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"exp": NOW - 29}, "it expired"),
        ({"exp": None}, "its exp is no time"),
        ({"exp": str(NOW + 300)}, "its exp is no time"),
        ({"exp": True}, "its exp is no time"),
        ({"exp": -1}, "its exp is no time"),
        ({"exp": 10**400}, "its exp is no time"),
        ({"exp": [NOW + 300]}, "its exp is no time"),
        ({"iat": None}, "its iat is no time"),
        ({"iat": NOW + 600, "exp": NOW + 700}, "it is not valid yet"),
        ({"nbf": NOW + 600}, "it is not valid yet"),
        ({"nbf": "now"}, "its nbf is no time"),
        ({"exp": NOW + 365 * 86_400}, "it lives longer than is allowed here"),
        ({"iat": NOW - 86_400}, "it lives longer than is allowed here"),
    ],
    ids=shown,
)
def test_a_token_has_its_time(wrong: dict[str, Any], problem: str) -> None:
    """R-088."""
    said = {name: value for name, value in {**GOOD, **wrong}.items() if value is not None}
    assert refusal(forge(KEY, said)) == problem


def test_times_that_are_no_json_numbers_are_refused() -> None:
    """R-088. 1e400 is one, and infinite."""
    said = raw(GOOD).replace(str(NOW + 300).encode(), b"1e400")
    assert refusal(forge(KEY, said)) == "its exp is no time"
    said = raw(GOOD).replace(str(NOW + 300).encode(), b"1" * 5_000)
    assert refusal(forge(KEY, said)) == "its payload is no JSON object"


def test_clocks_may_be_apart_by_the_leeway() -> None:
    """R-088. To the second, in both directions."""
    token = forge(KEY)
    assert verifier(now=NOW + 329.9).verify(token).id == "one"
    assert refusal(token, now=NOW + 330) == "it expired"
    assert verifier(now=NOW - 30).verify(token).id == "one"
    assert refusal(token, now=NOW - 30.1) == "it is not valid yet"
    assert refusal(token, now=NOW + 300, leeway=timedelta(0)) == "it expired"


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        *(
            ({"iss": each}, NOT_OF)
            for each in (ISSUER[:-1], f"{ISSUER}/", f"{ISSUER}.evil.example", [ISSUER], "", None)
        ),
        *(
            ({"aud": each}, NOT_FOR)
            for each in ("order", "orders2", "payments", ["payments"], [], "", None, {"orders": 1})
        ),
        ({"aud": [["orders"]]}, NOT_FOR),
    ],
    ids=shown,
)
def test_issuer_and_audience_are_exact(wrong: dict[str, Any], problem: str) -> None:
    """R-089, R-076."""
    said = {name: value for name, value in {**GOOD, **wrong}.items() if value is not None}
    assert refusal(forge(KEY, said)) == problem


def test_a_token_for_several_is_for_each() -> None:
    token = forge(KEY, {**GOOD, "aud": ["payments", AUDIENCE]})
    assert verifier().verify(token).subject == "alice"


@pytest.mark.parametrize(
    "type",
    ["JWT", "logout+jwt", "dpop+jwt", "dbsc+jwt", "rt+jwt", "at+jw", "", None, 1, ["at+jwt"]],
    ids=shown,
)
def test_a_token_for_another_purpose_is_no_access_token(type: Any) -> None:
    """R-090."""
    assert refusal(forge(KEY, header={"typ": type})) == "it is no access token"


@pytest.mark.parametrize("type", ["at+jwt", "application/at+jwt", "AT+JWT"])
def test_the_type_may_be_spelled_as_a_media_type_is(type: str) -> None:
    """RFC 9068 4, RFC 7515 4.1.9."""
    assert verifier().verify(forge(KEY, header={"typ": type})).subject == "alice"


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"sub": ""}, "its sub is no text"),
        ({"sub": 1}, "its sub is no text"),
        ({"jti": None}, "its jti is no text"),
        ({"sid": 1}, "its sid is no text"),
        ({"act": "bob"}, "its act is no object"),
        ({"act": {}}, "its act.sub is no text"),
        ({"auth_time": "today"}, "its auth_time is no time"),
        ({"auth_time": NOW + 60}, "its auth_time is to come"),
        ({"exp": NOW - 10, "iat": NOW}, "it ends before it begins"),
        ({"cnf": {"jkt": "x"}}, "it is bound to a key of its client, which is not asked for here"),
    ],
    ids=shown,
)
def test_what_it_says_is_of_the_kind_it_has_to_be(wrong: dict[str, Any], problem: str) -> None:
    said = {name: value for name, value in {**GOOD, **wrong}.items() if value is not None}
    assert refusal(forge(KEY, said)) == problem


def test_another_signature_for_the_same_is_the_same_token() -> None:
    """R-092. (r, n - s) is as good as (r, s), so a token is known by its id, not by its text."""
    head, body, signature = forge(KEY).split(".")
    made = decode(signature)
    r, s = int.from_bytes(made[:32]), int.from_bytes(made[32:])
    assert decode_dss_signature(encode_dss_signature(r, s)) == (r, s)
    twin = f"{head}.{body}.{encode(r.to_bytes(32) + (ORDER - s).to_bytes(32))}"
    assert twin.split(".")[2] != signature
    assert verifier().verify(twin) == verifier().verify(f"{head}.{body}.{signature}")


def test_a_changed_byte_is_found() -> None:
    token = forge(KEY)
    for at in range(len(token)):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        refusal(changed)


def test_rotation_needs_no_moment_at_which_all_change() -> None:
    """The new key is known before it signs; the old one after it did."""
    old, new = SigningKeys.new_key(), SigningKeys.new_key()
    before, during, after = SigningKeys(old), SigningKeys(old, new), SigningKeys(new, old)
    known = PublicKeys.parse(json.dumps(during.jwks()))
    for keys in (before, during, after):
        assert verifier(known).verify(forge(keys.first)).subject == "alice"
    assert after.first.id != before.first.id
    gone = PublicKeys(SigningKeys(new).jwks())
    assert refusal(forge(before.first), gone) == "no key that is known here signed it"


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"issuer": "http://shop.example"}, "issuer"),
        ({"issuer": "shop"}, "issuer"),
        ({"issuer": "https://"}, "issuer"),
        ({"issuer": "https://shop.example/?a"}, "issuer"),
        ({"issuer": "https://user@shop.example"}, "issuer"),
        ({"audience": ""}, "audience"),
        ({"audience": ["orders"]}, "audience"),
        ({"keys": None}, "keys"),
        ({"keys": {}}, "keys"),
        ({"leeway": 30}, "leeway"),
        ({"leeway": timedelta(seconds=61)}, "leeway"),
        ({"leeway": timedelta(seconds=-1)}, "leeway"),
        ({"max_lifetime": timedelta(0)}, "max_lifetime"),
    ],
    ids=shown,
)
def test_wrong_settings_stop_the_start(options: dict[str, Any], setting: str) -> None:
    issuer = options.pop("issuer", ISSUER)
    arguments: dict[str, Any] = {"audience": AUDIENCE, "keys": KEYS, **options}
    with pytest.raises(ConfigurationError) as caught:
        Verifier(issuer, **arguments)
    assert caught.value.setting == setting
