"""`make bench`: speed and memory, each beside something that is measured in the same run."""
