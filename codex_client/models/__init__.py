"""Models as data: what a list of them tells, the list that comes with the library, and names that ask for an effort.

Pure. Nothing here asks a server; `client.models()` does, and what it gives is a `ModelCatalogue` too.
"""

from codex_client.models.built_in import BUILT_IN_MODELS, MODEL_ALIASES
from codex_client.models.catalogue import ModelCatalogue
from codex_client.models.listing import is_model_list, parse_models
from codex_client.models.model import EFFORTS, VERBOSITIES, Effort, ModelInfo, Verbosity
from codex_client.models.names import ModelChoice, parse_model_name

__all__ = [
    "BUILT_IN_MODELS",
    "EFFORTS",
    "MODEL_ALIASES",
    "VERBOSITIES",
    "Effort",
    "ModelCatalogue",
    "ModelChoice",
    "ModelInfo",
    "Verbosity",
    "is_model_list",
    "parse_model_name",
    "parse_models",
]
