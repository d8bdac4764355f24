"""The course platform as production runs it."""

from academy import create_app
from config import ProductionConfig

app = create_app(ProductionConfig)
