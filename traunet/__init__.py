"""traunet: the executable companion of the TRA-Net paper on facial action unit detection."""

__version__ = "0.1.0"
