"""The ground of all wings: errors, running programs, files, the cache, archives, clean roots."""
