"""Privacy audits of the TikTok Pixel."""
