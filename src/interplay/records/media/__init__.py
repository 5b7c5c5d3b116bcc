"""Video, pictures and sound: reading by index and by time, writing, probing."""
