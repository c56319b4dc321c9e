"""A report on an evaluation: a single HTML page that works offline.

`items` turns the table of items into the page's data, `drawing` draws molecules, `charts` draws figures, `sources`
reads the other files that a page can show, and `page` fills the templates.
"""
