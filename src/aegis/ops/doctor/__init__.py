"""The pre-deployment half of the checklist: 18 checks of this configuration and what it reaches.

One function for each check, declared under the id that docs/DEPLOYMENT_CHECKLIST.md uses. They run inside the application.
"""

from aegis.ops.doctor import configuration, machine, storage
from aegis.ops.doctor.checklist import CHECKLIST

__all__ = ["CHECKLIST", "configuration", "machine", "storage"]
