"""What every app has in common: JSON errors, /healthz, and the delay that makes a cache worth seeing."""

import os
import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, request
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from . import database

ErrorBody = Callable[[str], dict[str, Any]]


def plain_error(message: str) -> dict[str, Any]:
    return {"message": message}


def make_app(
    name: str, *blueprints: Blueprint, database_url: str | None = None, error: ErrorBody = plain_error
) -> Flask:
    """A Flask app of these blueprints; `error` makes the JSON body of every error."""
    app = Flask(f"backend.{name}", static_folder=None)
    app.json.sort_keys = False
    app.extensions["engine"] = database.open_engine(database_url or database.default_url(name))
    for blueprint in blueprints:
        app.register_blueprint(blueprint)

    @app.get("/healthz")
    def healthz() -> Response:
        answer = jsonify(status="ok")
        answer.cache_control.no_store = True
        return answer

    delay = int(os.environ.get("BACKEND_DELAY_MS") or 0) / 1000

    @app.before_request
    def wait() -> None:
        if request.method == "GET" and request.path != "/healthz":
            time.sleep(delay)

    @app.errorhandler(HTTPException)
    def http_error(problem: HTTPException) -> Response:
        answer = jsonify(error(problem.description or problem.name))
        answer.status_code = problem.code or 500
        # A 405 says in its fields what is allowed.
        answer.headers.extend((name, value) for name, value in problem.get_headers() if name != "Content-Type")
        return answer

    @app.errorhandler(DBAPIError)
    def database_error(problem: DBAPIError) -> Response:
        app.logger.error("%s", problem)
        return http_error(ServiceUnavailable("The database failed."))

    return app
