"""Every target by name. A new family of targets is one module and its line here."""

from __future__ import annotations

from typing import Final

import configs
import programmes_planned
import readers
import reckoned
from fuzzing import Target

TARGETS: Final[dict[str, Target]] = {
    t.name: t for t in (*readers.targets(), *configs.targets(), *programmes_planned.targets(), *reckoned.targets())
}
