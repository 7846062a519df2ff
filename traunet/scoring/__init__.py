"""From predictions to scores, verdicts on the paper's numbers and claims, and where each number comes from."""
