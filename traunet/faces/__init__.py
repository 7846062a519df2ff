"""Any photograph or video of faces: read, landmarks found, and the answers drawn onto it."""
