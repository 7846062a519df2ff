"""The book from its notebooks and pages: executed, fresh, built, looked at as its reader gets it, and printed."""
