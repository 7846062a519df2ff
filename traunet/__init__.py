"""traunet: the executable companion of "Upper, Middle and Lower Region Learning for Facial Action Unit Detection"."""

__version__ = "0.1.0"
