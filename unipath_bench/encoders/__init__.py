"""Image and text encoders: each module knows one loader, each encoder is a table row of facts."""
