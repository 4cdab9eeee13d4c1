"""Flask-Session with Redis."""

import time

import flask_session
from flask import Flask, Response, jsonify, session
from redis import Redis

from bench.apps.store import STORE

app = Flask(__name__)
app.config.update(SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(STORE))
flask_session.Session(app)


def empty() -> str:
    session["survivors"], session["n"] = {}, 0
    return "started"


def add(item: str) -> str:
    cart = session["survivors"]
    time.sleep(0.005)
    cart[item] = 1
    session["survivors"] = cart
    return "added"


def count() -> str:
    n = session["n"]
    time.sleep(0.005)
    session["n"] = n + 1
    return "counted"


def cart() -> Response:
    return jsonify(sorted(session["survivors"]))


def counter() -> str:
    return str(session["n"])


app.add_url_rule("/empty", view_func=empty)
app.add_url_rule("/add/<item>", view_func=add)
app.add_url_rule("/count", view_func=count)
app.add_url_rule("/cart", view_func=cart)
app.add_url_rule("/counter", view_func=counter)
