"""The synthetic DISFA: heads, what they do, how they are drawn, and the tree of files that they are written to."""
