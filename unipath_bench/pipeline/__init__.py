"""Plan, then three stages (generate, embed, score) over a content-addressed store, then one record."""
