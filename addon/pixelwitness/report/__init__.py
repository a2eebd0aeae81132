"""Reports: pure re-runs over the ledger's public tables."""
