"""The four seeds' APIs as plain Flask apps that know nothing of a cache."""
