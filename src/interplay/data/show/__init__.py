"""A dataset as a contact sheet: static HTML pages with the tracks drawn on some frames of every clip.

``run`` reads a source and writes an artifact (kind ``sheet``): ``index.html``, pages of so many clips, the quarantine,
and the thumbnails. ``cards`` is what is known of one clip, ``strips`` and ``media`` its pictures, ``layout`` where
things stand, ``drawing`` how they look, ``pages`` and the templates the HTML.
"""
