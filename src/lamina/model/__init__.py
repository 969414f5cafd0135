"""Networks, and how they are judged and changed."""
