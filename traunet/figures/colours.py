"""The colours of the regions, everywhere in the book and on every picture."""

# They stay apart in grey and for readers who see few colours: a test simulates both.
REGION_COLOURS = {"upper": "#0072B2", "middle": "#F0C040", "lower": "#EE6677"}
