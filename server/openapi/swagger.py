"""The description of the hosted contract, as clients of the hosted endpoint ask for it: Swagger 2, OpenAPI 3.0 or 3.1.

`/openapi.json` describes everything else as well.
"""

from collections.abc import Mapping
from typing import Any

from server.errors import ServiceError
from server.ipc.model_facts import ModelFacts

# what a client may ask for -> the version of the specification that it gets
_VERSIONS = {"2": "2.0", "2.0": "2.0", "3": "3.0.4", "3.0": "3.0.4", "3.1": "3.1.1"}
_TABLE = {
    "type": "object",
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}, "example": ["image"]},
        "index": {"type": "array", "items": {"type": "integer"}},
        "data": {"type": "array", "items": {"type": "string", "format": "byte"}},
    },
}
_INPUT = {"type": "object", "required": ["input_data"], "properties": {"input_data": _TABLE}}
_CORNERS = {name: {"type": "number"} for name in ("topX", "topY", "bottomX", "bottomY")}


def swagger(version: str, model: ModelFacts | None, *, title: str, service_version: str, prefix: str) -> dict[str, Any]:
    """Describe `/`, `/score` and `/swagger.json` for a model, or for a script with None.

    ServiceError `not_found` for an unknown version.
    """
    if version not in _VERSIONS:
        raise ServiceError("not_found", f"Swagger version [{version}] is not valid. Supported versions: [2, 3, 3.1].")
    schemas = {
        "ServiceInput": _INPUT if model else {},
        "ServiceOutput": {"type": "array", "items": _row(model)} if model else {},
        "ErrorResponse": {"type": "object", "properties": {"message": {"type": "string"}}},
    }
    does = f"Scores pictures: {model.task}." if model else "Answers as a script does."
    information = {"title": title, "version": service_version, "description": does}
    if version.startswith("2"):
        return _second(information, schemas, prefix)
    return _third(_VERSIONS[version], information, schemas, prefix)


def _row(model: ModelFacts) -> dict[str, Any]:
    numbers = {"type": "array", "items": {"type": "number"}}
    if model.classifies:
        labels = {"type": "array", "items": {"type": "string"}, "example": list(model.labels)}
        return {"type": "object", "properties": {"probs": numbers, "labels": labels}}
    box: dict[str, Any] = {
        "box": {"type": "object", "properties": _CORNERS},
        "label": {"type": "string"},
        "score": {"type": "number"},
    }
    if model.task == "segmentation":
        box["polygon"] = {"type": "array", "items": numbers}
    return {
        "type": "object",
        "properties": {"boxes": {"type": "array", "items": {"type": "object", "properties": box}}},
    }


def _second(information: Mapping[str, Any], schemas: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    failed = {"description": "An error", "schema": {"$ref": "#/definitions/ErrorResponse"}}
    return {
        "swagger": "2.0",
        "info": information,
        "basePath": prefix or "/",
        "schemes": ["http", "https"],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": {"Bearer": {"type": "apiKey", "name": "Authorization", "in": "header"}},
        "paths": {
            "/": {"get": {"operationId": "ServiceHealthCheck", "responses": _healthy("text/html", third=False)}},
            "/swagger.json": {"get": {"operationId": "GetSwagger", "responses": {"200": {"description": "This page"}}}},
            "/score": {
                "post": {
                    "operationId": "RunMLService",
                    "security": [{"Bearer": []}],
                    "parameters": [
                        {
                            "name": "serviceInputPayload",
                            "in": "body",
                            "required": True,
                            "schema": {"$ref": "#/definitions/ServiceInput"},
                        }
                    ],
                    "responses": {
                        "200": {"description": "Scores", "schema": {"$ref": "#/definitions/ServiceOutput"}},
                        "default": failed,
                    },
                }
            },
        },
        "definitions": schemas,
    }


def _third(version: str, information: Mapping[str, Any], schemas: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    def content(name: str) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}

    return {
        "openapi": version,
        "info": information,
        "servers": [{"url": prefix or "/"}],
        "paths": {
            "/": {"get": {"operationId": "ServiceHealthCheck", "responses": _healthy("text/html", third=True)}},
            "/swagger.json": {"get": {"operationId": "GetSwagger", "responses": {"200": {"description": "This page"}}}},
            "/score": {
                "post": {
                    "operationId": "RunMLService",
                    "security": [{"Bearer": []}],
                    "requestBody": {"required": True, "content": content("ServiceInput")},
                    "responses": {
                        "200": {"description": "Scores", "content": content("ServiceOutput")},
                        "default": {"description": "An error", "content": content("ErrorResponse")},
                    },
                }
            },
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {"Bearer": {"type": "apiKey", "name": "Authorization", "in": "header"}},
        },
    }


def _healthy(media_type: str, *, third: bool) -> dict[str, Any]:
    healthy = {"type": "string", "example": "Healthy"}
    told = {"content": {media_type: {"schema": healthy}}} if third else {"schema": healthy}
    return {"200": {"description": "A score would succeed", **told}}
