"""The collectors, and the scrape that runs them."""
