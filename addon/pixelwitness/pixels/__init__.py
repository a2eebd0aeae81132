"""Pixel vendors: what their messages say."""
