"""What people see of the courses: catalogue, course and lesson pages, their templates and static files.

The pages work without JavaScript and call the same service as the JSON views; neither owns rules.
"""
