"""Sessions in PostgreSQL, MySQL or MariaDB."""

import os

from coatcheck import Sessions, store_from_url

sessions = Sessions(store_from_url(os.environ["DATABASE_URL"]))
