"""TikTok's messages."""
