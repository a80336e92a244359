"""Faces of a result: blocks of text and tables, shown on a terminal, and JSON. Language enters only here."""
