"""`make book`: the stages as jobs, on one machine or many, and what they say of themselves while they run."""
