"""What the doctor looks at: a whole DISFA tree, subject by subject, read as a careful colleague would."""
