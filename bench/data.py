"""What each session of the benchmark holds: 1,000 bytes in MessagePack, as coatcheck encodes it."""

from typing import Any


def session(number: int) -> dict[str, Any]:
    """Return the data of one session, of the same size for every number below 10,000."""
    return {
        "user": f"user-{number:04}",
        "csrf_token": f"{number:04}9c1f0b7d52e84a63bd0e7f2a",
        "n": 0,
        "preferences": {
            "language": "en-GB",
            "currency": "EUR",
            "time_zone": "Europe/Berlin",
            "theme": "dark",
            "page_size": 48,
            "newsletter": False,
            "consent": {"analytics": False, "marketing": False, "version": 7},
        },
        "cart": {
            "items": [
                _item("MUG-ENAMEL-RED", "Enamel mug, red", 2, 1250),
                _item("SCARF-LAMBSWOOL", "Lambswool scarf, dark green", 1, 5900),
                _item("NOTEBOOK-A5", "Notebook A5, dotted", 3, 890),
                _item("LAMP-DESK-BRASS", "Desk lamp, brass", 1, 12900),
            ],
            "voucher": "WELCOME10",
            "shipping": {"method": "parcel", "country": "DE", "price": 490},
        },
        "delivery": {
            "name": "Alexandra Brandenburger",
            "street": "Beispielstrasse 112, Hinterhaus",
            "postcode": "10115",
            "city": "Berlin",
            "phone": "+49 30 5550 0112",
            "note": "Please ring twice; if nobody answers, leave it with the neighbours. "
            "The bell is the one without any name",
        },
        "recently_viewed": [
            {"sku": sku, "at": 1764000000 + 37 * place}
            for place, sku in enumerate(("TEAPOT-1L", "BLANKET-WOOL", "CANDLE-BEES", "PEN-FINE"))
        ],
        "search": ["wool blanket grey"],
        "referrer": "https://shop.example/search?q=enamel+mug&sort=price&page=2",
    }


def _item(sku: str, name: str, quantity: int, price: int) -> dict[str, Any]:
    return {"sku": sku, "name": name, "quantity": quantity, "price": price, "gift": False}
