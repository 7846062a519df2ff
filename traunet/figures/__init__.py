"""The book's figures and tables, in one look and the same colours for the same regions."""
