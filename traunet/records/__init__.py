"""What is made is kept, and notes what it was made from: folders never half there, seals, hashes of sources."""
