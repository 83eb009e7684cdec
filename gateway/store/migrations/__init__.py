"""How the schema came to be, step by step (Alembic). A released step is never changed."""
