"""Sessions for Django: an engine and two middleware classes, each in Django's own one's place.

    SESSION_ENGINE = "coatcheck.web.django.engine"
    MIDDLEWARE = [
        "coatcheck.web.django.middleware.SessionMiddleware",
        "coatcheck.web.django.auth.AuthenticationMiddleware",
        ...
    ]
    COATCHECK = {"store": "redis://localhost"}

A request goes straight down: the first look at `request.session` reads the token and opens the
session, the view runs, the middleware commits before the response starts and adds the headers.
"""

from importlib import import_module

from coatcheck.extras import extra
from coatcheck.web.django.access import asession_of, requires, session_of

with extra("django"):
    import_module("django")

__all__ = ["asession_of", "requires", "session_of"]
