"""The network: blocks, trunk, decoder, hard masks, TRA-Net and its variants, weights, and what it is made of."""
