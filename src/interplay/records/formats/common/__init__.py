"""What several formats need: safe paths, tables, mask pictures, names, copies, and sentences about what is lost."""
