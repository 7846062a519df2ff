"""How frames pass through a network, epoch by epoch, on one device or several, and how far that has come."""
