"""Courses: what is in them (catalogue, lessons, images) and what learners do with them (enrol, progress, note).

Beside the four roles: `model.py` is a course as written, `folder.py` reads and writes it as a folder or archive,
`publishing.py` puts it into the database and takes it out, `render.py` turns a lesson's Markdown into safe HTML.
"""
