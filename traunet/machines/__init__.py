"""What the work is done on: cores, GPUs, memory, locks, and what each kind of device computes fastest with."""
