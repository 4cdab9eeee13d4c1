"""The tables of an application, and those of its sessions, for Alembic."""

from sqlalchemy import Column, MetaData, String, Table

from coatcheck.stores.sql.tables import tables

metadata = MetaData()
orders = Table("orders", metadata, Column("item", String(100), primary_key=True))
tables(metadata)  # in env.py: target_metadata = metadata
