"""A report of an evaluation: one HTML page that needs no network.

`items` turns the table of items into the page's data, `drawing` draws molecules, `charts` draws figures, `sources`
reads what else a page can show, and `page` puts all of it into the templates.
"""
