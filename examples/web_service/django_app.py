"""POST /predict with Django, in one file: {"input": …} gives {"prediction": …}.

PREDICT_TOKEN=secret MODEL=penguins-1.0.0.onnx gunicorn --workers 2 --threads 4 django_app:application

Each worker loads the model after the fork, where this module is imported; leave out gunicorn's --preload. In a project
of yours, load it in AppConfig.ready(), and keep `predict` as a view.
"""

from __future__ import annotations

import json
import os
import secrets

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.http import require_POST

import edge_infer

TOKEN = os.environ["PREDICT_TOKEN"].encode()
if not TOKEN:
    raise SystemExit("PREDICT_TOKEN is empty: anybody could ask")
hosts = os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1").split(",")
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=hosts, DATA_UPLOAD_MAX_MEMORY_SIZE=1_000_000)  # bytes
model = edge_infer.load(os.environ["MODEL"])


def has_token(request: HttpRequest) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(given.encode("latin-1"), TOKEN)


def health(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"model": model.manifest.name, "version": model.manifest.version})


@require_POST
def predict(request: HttpRequest) -> JsonResponse:
    if not has_token(request):
        return JsonResponse({"error": "expected the header Authorization: Bearer and the token"}, status=401)
    try:
        data = json.loads(request.body)["input"]
    except RequestDataTooBig as error:
        return JsonResponse({"error": str(error)}, status=413)
    except (ValueError, KeyError, TypeError, RecursionError):
        return JsonResponse({"error": 'expected a JSON object with "input"'}, status=400)
    try:
        answer = model.predict(data)
    except edge_infer.InputError as error:
        return JsonResponse({"error": str(error)}, status=422)
    return JsonResponse({"prediction": answer.tolist() if hasattr(answer, "tolist") else answer})


urlpatterns = [path("predict", predict), path("health", health)]
application = get_wsgi_application()
