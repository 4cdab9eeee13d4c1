"""An application with an audit trail in a database, and in a file beside it."""

import os

from fastapi import FastAPI, Request

from coatcheck import Sessions, store_from_url
from coatcheck.observe import Audit, JSONFile
from coatcheck.observe.sql_table import SQLTable
from coatcheck.web.asgi import SessionMiddleware, session_of

# part: audit
trail = SQLTable.from_url(os.environ["AUDIT_URL"])  # postgresql://auditor:password@db/shop
audit = Audit(trail, JSONFile("audit.log"), slow=True)
# end part
sessions = Sessions(store_from_url("sqlite:///shop.db"), on_event=audit)
app = FastAPI()
app.add_middleware(SessionMiddleware, sessions=sessions)


@app.post("/login/{name}")
async def login(name: str, request: Request) -> None:
    session_of(request).sign_in(name)
