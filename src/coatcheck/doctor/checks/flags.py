"""The attributes of a session's cookie (ASVS 5.0 V3.3)."""

from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.sent_cookie import SentCookie

NAME = "cookie-flags"


def check(cookie: SentCookie, *, is_of_development: bool = False) -> Iterator[Finding]:
    """Judge a cookie as it was sent.

    Args:
        is_of_development: whether it could not be Secure, nor have a prefix.
    """
    where, given, name = f"cookie {cookie.name}", cookie.attributes, cookie.name

    def found(severity: Severity, what: str, do: str, clause: str) -> Finding:
        return Finding(severity, NAME, what, where, do, clause)

    if "secure" not in given and not is_of_development:
        yield found(Severity.ERROR, "is sent over plain HTTP too", "set Secure", "ASVS 5.0 V3.3.1")
    if "httponly" not in given:
        yield found(Severity.ERROR, "can be read by scripts", "set HttpOnly", "ASVS 5.0 V3.3.4")
    same_site = given.get("samesite", "").lower()
    if same_site not in ("lax", "strict"):
        what = (
            "is sent along when other sites' pages make requests"
            if same_site == "none"
            else "leaves it to the browser whether other sites' requests carry it"
        )
        do = "set SameSite=Lax or Strict"
        yield found(Severity.WARNING, what, do, "ASVS 5.0 V3.3.2")
    if "domain" in given:
        what = f"goes to every host below {given['domain']}"
        do = "leave Domain out, so that it stays with this host"
        yield found(Severity.WARNING, what, do, "ASVS 5.0 V3.3.3")
    host = name.startswith(("__Host-", "__Http-"))
    if host:
        broken = "secure" not in given or (
            name.startswith("__Host-") and ("domain" in given or given.get("path") != "/")
        )
        if broken:
            what = "is dropped by browsers, as its prefix promises other attributes"
            do = "set Secure and Path=/, and no Domain"
            yield found(Severity.ERROR, what, do, "RFC 6265bis 4.1.3.2")
    elif name.startswith("__Secure-"):
        what = "may be set by other hosts of the domain"
        do = "name it __Host-..., unless it is to be shared"
        yield found(Severity.INFO, what, do, "ASVS 5.0 V3.3.3")
    elif not is_of_development:
        what = "may be planted by another host of the domain, or over plain HTTP"
        do = f"name it __Host-{name}"
        yield found(Severity.WARNING, what, do, "ASVS 5.0 V3.3.1, V3.3.3")
