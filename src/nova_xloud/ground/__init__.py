"""What everything else stands on: errors, commands, files, the cache, clean roots."""
