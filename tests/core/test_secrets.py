"""What is taken for a secret, and what is not."""

import random
import string
import uuid
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck import Token
from coatcheck.core.secrets import LIMIT, find_secrets

_CHANCE = random.Random(1)  # the same in every run
ALPHABET = string.ascii_letters + string.digits


def chance(length: int, alphabet: str = ALPHABET) -> str:
    return "".join(_CHANCE.choices(alphabet, k=length))


def some_uuid() -> str:
    return str(uuid.UUID(int=_CHANCE.getrandbits(128), version=4))


def encoded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


HEADER, CLAIMS = encoded('{"typ":"JWT","alg":"ES256"}'), encoded('{"user":1,"next":"/"}')
JWT = f"{HEADER}.{CLAIMS}.{chance(86)}"
PEM = "-----BEGIN {}PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG"
TOKEN = chance(40)
CARDS = {  # the schemes' own numbers for tests
    "Visa": "4111 1111 1111 1111",
    "Mastercard": "5555-5555-5555-4444",
    "Mastercard, new": "2223003122003222",
    "American Express": "3782 822463 10005",
    "Diners Club": "30569309025904",
    "Discover": "6011111111111117",
    "JCB": "3530111333300000",
    "UnionPay": "6205500000000000004",
}

# Spelled in two parts, so that nobody takes this file for a leak.
SECRETS: list[tuple[Any, str, str]] = [
    ({"password": "correct horse"}, "password", "a password"),
    ({"userPassword": "x"}, "userPassword", "a password"),
    ({"new_password2": "hunter2"}, "new_password2", "a password"),
    ({"password-confirm": "hunter2"}, "password-confirm", "a password"),
    ({"db": {"PASSWD": "hunter2"}}, "db.PASSWD", "a password"),
    ({"step1": {"form": [{"pwd": "hunter2"}]}}, "step1.form[0].pwd", "a password"),
    ({"passphrase": b"hunter2"}, "passphrase", "a password"),
    ({"api_key": TOKEN}, "api_key", "a token or key"),
    ({"apikey": TOKEN}, "apikey", "a token or key"),
    ({"token": TOKEN}, "token", "a token or key"),
    ({"oauth": {"accessToken": TOKEN}}, "oauth.accessToken", "a token or key"),
    ({"github_tokens": [TOKEN]}, "github_tokens[0]", "a token or key"),
    ({"clientSecret": some_uuid()}, "clientSecret", "a token or key"),
    ({"signing_key": chance(64, "0123456789abcdef")}, "signing_key", "a token or key"),
    ({"secret": chance(32, string.ascii_letters)}, "secret", "a token or key"),
    ({"cvv": "123"}, "cvv", "the security code of a payment card"),
    ({"card": {"cvc": 1234}}, "card.cvc", "the security code of a payment card"),
    ({"x": JWT}, "x", "a JSON Web Token"),
    ({"x": f"Bearer {JWT}"}, "x", "a JSON Web Token"),
    ({"x": {JWT: 1}}, "x.<a key>", "a JSON Web Token"),
    ({"x": PEM.format("")}, "x", "a private key"),
    ({"x": [1, (PEM.format("RSA ").encode(),)]}, "x[1][0]", "a private key"),
    ({"x": PEM.format("OPENSSH ")}, "x", "a private key"),
    ({"x": "AKIA" + chance(16, "ABCDEFGHIJ234567")}, "x", "an AWS access key"),
    ({"x": "ghp" + "_" + chance(36)}, "x", "a GitHub token"),
    ({"x": "github_pat" + "_" + chance(82)}, "x", "a GitHub token"),
    ({"x": "glpat" + "-" + chance(20)}, "x", "a GitLab token"),
    ({"x": "xoxb" + "-" + f"{chance(12, '123')}-{chance(24)}"}, "x", "a Slack token"),
    ({"x": "sk" + "_live_" + chance(24)}, "x", "a Stripe key"),
    ({"x": "AI" + "za" + chance(35)}, "x", "a Google API key"),
    ({"x": "postgresql://shop:hunter2@db.internal/shop"}, "x", "a password in a URL"),
    ({"x": "redis://:hunter2@cache:6379"}, "x", "a password in a URL"),
    ({"x": Token.mint(random.randbytes).reveal()}, "x", "the token of a session"),
    ({chance(44): PEM.format("")}, "<a key>", "a private key"),
    *[({"x": card}, "x", "the number of a payment card") for card in CARDS.values()],
    ({"x": 4111111111111111}, "x", "the number of a payment card"),
    ({"x": "paid with 4111111111111111, thanks"}, "x", "the number of a payment card"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "path", "kind"), SECRETS, ids=[f"{n}-{each[1]}" for n, each in enumerate(SECRETS)]
)
def test_a_secret_is_found(data: dict[str, Any], path: str, kind: str) -> None:
    assert find_secrets(data) == [(path, kind)]


HARMLESS: dict[str, dict[str, Any]] = {
    "a shop": {
        "cart": {"hat-blue-42": 1, "4006381333931": 2, "9780306406157": 1},
        "cart_token": TOKEN,
        "language": "en",
        "last_order": 4_111_111_111,
        "order": "2025-11-28-0000000123456789",
        "ordered_at": 1_764_366_168_123,
        "ordered_at_us": 1_764_366_168_123_456,
        "ordered_at_ns": 1_764_366_168_123_456_789,
        "tracking": "1Z999AA10123456784",
        "parcel": "00340434161094042557",
        "iban": "DE89 3704 0044 0532 0130 00",
        "phone": "+49 1512 3456789",
        "imei": "356938035643809",
        "snowflake": 175_928_847_299_117_063,
        "masked": "**** **** **** 1111",
        "amount": "4111111111111111.11",
        "card": "visa-1111",
        "image": "data:image/png;base64," + chance(400),
        "url": "https://shop.example.com/a:b/c@d?x=1",
        "mail": "mailto:alice@example.com",
    },
    "words about passwords and tokens": {
        "password_changed_at": "2025-11-28T21:42:48",
        "password_changed": True,
        "password_reset": "2025-11-28",
        "password": "",
        "passwords": [],
        "password_strength": "weak",
        "must_change_password": "next time",
        "forgot_password": "alice@example.com",
        "show_password": "yes",
        "token": None,
        "token_type": "Bearer",
        "token_count": 4096,
        "tokens": 4096,
        "token_expires": "2025-11-28T21:42:48+00:00",
        "token_id": TOKEN,
        "secret": "santa",
        "secret_question": "What was the name of your first pet?",
        "next_page_token": TOKEN,
        "authorization": "required",
        "credentials": "checked-by-second-factor",
        "public_key": "ssh-ed25519 " + chance(60),
        "certificate": "-----BEGIN CERTIFICATE-----\n" + chance(60),
        "boarding_pass": "gate 12",
        "passport": "C01X00T47",
        "keyboard": "us",
        "monkey": TOKEN,
    },
    "Django": {
        "_auth_user_id": "1",
        "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
        "_auth_user_hash": chance(64, "0123456789abcdef"),
        "_csrftoken": chance(32),
        "_password_reset_token": "abc-" + chance(32, "0123456789abcdef"),
        "_messages": '[["__json_message",0,25,"card 4111 1111 1111 1111 refused",""]]',
        "_language": "de",
        "wizard_checkout": {"step": "1", "step_data": {}, "step_files": {}, "extra_data": {}},
        "oidc_states": {chance(32): {"code_verifier": chance(64), "nonce": chance(32)}},
        "signed": f"{CLAIMS}:1vPQ3x:{chance(43)}",
        "socialaccount_states": {chance(16): [{"process": "login"}, 1_764_366_168.1]},
        "otp_device_id": "otp_totp.totpdevice/1",
    },
    "Flask": {
        "_id": chance(128, "0123456789abcdef"),
        "_user_id": "1",
        "_fresh": True,
        "_permanent": True,
        "_flashes": [("error", "wrong password=hunter2 for 4111111111111111")],
        "csrf_token": chance(40, "0123456789abcdef"),
        "_google_authlib_redirect_uri_": "https://shop.example.com/auth",
        f"_state_google_{chance(30)}": {
            "data": {"nonce": chance(20), "code_verifier": chance(48), "token": TOKEN},
            "exp": 1_764_366_168.1,
        },
        "oauth_state": chance(30),
        "google_oauth_state": chance(30),
        "signed": f"{CLAIMS}.aSoCWA.{chance(27)}",
    },
    "coatcheck's own": {"coatcheck:csrf": TOKEN, "coatcheck:secret": JWT},
}  # fmt: skip


@pytest.mark.parametrize("whose", HARMLESS)
def test_what_applications_and_frameworks_keep_is_none(whose: str) -> None:
    assert find_secrets(HARMLESS[whose]) == []


def test_random_values_under_plain_names_are_hardly_ever_taken_for_secrets() -> None:
    """Ids, times and hashes: none of 60,000; of numbers as long as a card's, as many as pass."""
    for _ in range(10_000):
        data = {
            "id": some_uuid(),
            "etag": chance(32, "0123456789abcdef"),
            "hash": chance(43),
            "order": _CHANCE.randrange(10**10),
            "row": _CHANCE.randrange(2**53),
            "at": _CHANCE.uniform(0, 2e9),
        }
        found = find_secrets(data)
        assert [each for each in found if each.path != "row"] == []
    numbers = [str(_CHANCE.randrange(10**15, 10**16)) for _ in range(10_000)]
    assert sum(bool(find_secrets({"x": number})) for number in numbers) < 300


def test_a_key_can_be_allowed() -> None:
    data = {"api_key": TOKEN, "password": "x", "profile": {"password": "x"}}
    assert [found.path for found in find_secrets(data, {"api_key", "profile"})] == ["password"]


def test_many_are_not_all_told() -> None:
    assert len(find_secrets({"passwords": ["x"] * 1_000})) == LIMIT


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.frozensets(st.text()),
    max_leaves=8,
)


@given(st.dictionaries(st.text() | st.sampled_from(["token", "password", "cvv"]), VALUES))
def test_whatever_is_in_a_session_can_be_looked_at(data: dict[str, Any]) -> None:
    for path, _ in find_secrets(data):
        assert path.isprintable()


def test_a_path_never_shows_a_secret() -> None:
    for secret in [JWT, *[chance(length) for length in range(20, 60)]]:
        data = {"token": secret, "passwords": [secret], secret: JWT, "x": {secret: PEM.format("")}}
        found = find_secrets(data)
        assert len(found) >= 4
        assert secret not in str(found)
