"""The ledger: dated snapshots of books and plans, what moved between them, and which reviews are due."""
