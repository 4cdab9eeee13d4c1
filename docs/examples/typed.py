"""A session whose keys have types and defaults."""

from fastapi import FastAPI, Request

from coatcheck import MemoryStore, SessionData, Sessions, default
from coatcheck.web.asgi import SessionMiddleware, session_of

app = FastAPI()
app.add_middleware(SessionMiddleware, sessions=Sessions(MemoryStore()))


# part: shop
class Shop(SessionData):
    language: str = "en"
    cart: dict[str, int] = default(dict[str, int])
    nickname: str | None = None

    def add(self, item: str) -> None:
        self.cart[item] = self.cart.get(item, 0) + 1


# end part
# part: routes
@app.get("/")
async def home(request: Request) -> str:
    shop = Shop(request.session)
    return f"{shop.language}: {len(shop.cart)} kinds of things"


@app.post("/language/{language}")
async def set_language(language: str, request: Request) -> None:
    Shop(request.session).language = language


@app.post("/cart/{item}")
async def add(item: str, request: Request) -> None:
    session_of(request).edit(lambda data: Shop(data).add(item))


# end part
