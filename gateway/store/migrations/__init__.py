"""Migrations of the tables, run by Alembic: `versions` has one file each, never changed once released."""
