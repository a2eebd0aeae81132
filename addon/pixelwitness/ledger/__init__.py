"""The ledger: an append-only chain of observations in SQLite, and the tables that follow from it."""
