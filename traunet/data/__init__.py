"""DISFA and what becomes of it: labels, landmarks and videos read, faces aligned and stored, subjects in folds."""
