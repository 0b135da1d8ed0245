"""`/models`: what is served."""

from fastapi import APIRouter

from jobs.workers import announced
from service.parts import Parts, PartsDep
from service.problems import described
from service.routing import get_and_head
from service.views import ModelsView, ModelView

router = APIRouter(prefix="/models", tags=["models"])


@get_and_head(router, "", responses=described(400, 401, 403, 503))
def read_models(parts: PartsDep) -> ModelsView:
    """List the models, with what each has learnt from and how well."""
    loaded = _loaded(parts)
    entries = sorted(parts.catalogue.models().values(), key=lambda one: (one.name != parts.catalogue.default, one.name))
    return ModelsView(models=[ModelView.of(entry, parts.catalogue.default, loaded) for entry in entries])


@get_and_head(router, "/{name}", responses=described(400, 401, 403, 404, 503))
def read_model(name: str, parts: PartsDep) -> ModelView:
    """Describe one model."""
    return ModelView.of(parts.catalogue.find(name), parts.catalogue.default, _loaded(parts))


def _loaded(parts: Parts) -> set[str]:
    return {digest for worker in announced(parts.store.redis) for digest in worker.models.values()}
