"""The book's figures, one module for each kind, in one look and the same colours for the same regions."""
