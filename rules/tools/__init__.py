"""What writes the regular rules, and a shortened copy of all of them for tests."""
