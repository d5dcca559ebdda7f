"""Describes the hosted endpoint's routes as its clients expect: in Swagger 2, OpenAPI 3.0 or 3.1.

`/openapi.json` describes all routes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from server.errors import ServiceError
from server.ipc.model_facts import ModelFacts

# the requested version -> the version of the specification
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


def swagger(
    version: str, model: ModelFacts | None, *, title: str, service_version: str, prefix: str, scheme: str = ""
) -> dict[str, Any]:
    """Describe `/`, `/score` and `/swagger.json` for a model, or for a script with None.

    `prefix` and `scheme` are those of the URLs that clients use, as far as they are known. ServiceError
    `not_found` for an unknown version.
    """
    if version not in _VERSIONS:
        raise ServiceError(
            "not_found", f"Swagger version [{version[:40]}] is not valid. Supported versions: [2, 3, 3.1]."
        )
    schemas = {
        "ServiceInput": _INPUT if model else {},
        "ServiceOutput": {"type": "array", "items": _output(model)} if model else {},
        "ErrorResponse": {"type": "object", "properties": {"message": {"type": "string"}}},
    }
    description = f"Scores pictures: {model.task}." if model else "Answers as a script does."
    info = {"title": title, "version": service_version, "description": description}
    if version.startswith("2"):
        return _swagger_2(info, schemas, prefix, [scheme] if scheme else ["http", "https"])
    return _openapi_3(_VERSIONS[version], info, schemas, prefix)


def _output(model: ModelFacts) -> dict[str, Any]:
    numbers = {"type": "array", "items": {"type": "number"}}
    label = {"type": "integer" if any(isinstance(each, int) for each in model.labels) else "string"}
    if model.ranks_labels:
        ranked = {"type": "object", "properties": {"label": label, "score": {"type": "number"}}}
        return {
            "type": "object",
            "additionalProperties": ranked,
            "example": {"0": {"label": model.labels[0], "score": 1.0}},
        }
    if model.classifies:
        labels = {"type": "array", "items": label, "example": list(model.labels)}
        return {"type": "object", "properties": {"probs": numbers, "labels": labels}}
    box: dict[str, Any] = {
        "box": {"type": "object", "properties": _CORNERS},
        "label": label,
        "score": {"type": "number"},
    }
    if model.task == "segmentation":
        box["polygon"] = {"type": "array", "items": numbers}
    return {
        "type": "object",
        "properties": {"boxes": {"type": "array", "items": {"type": "object", "properties": box}}},
    }


def _swagger_2(
    info: Mapping[str, Any], schemas: Mapping[str, Any], prefix: str, schemes: Sequence[str]
) -> dict[str, Any]:
    error = {"description": "An error", "schema": {"$ref": "#/definitions/ErrorResponse"}}
    return {
        "swagger": "2.0",
        "info": info,
        "basePath": prefix or "/",
        "schemes": schemes,
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": {"Bearer": {"type": "apiKey", "name": "Authorization", "in": "header"}},
        "paths": {
            "/": {"get": {"operationId": "ServiceHealthCheck", "responses": _healthy("text/html", openapi_3=False)}},
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
                        "default": error,
                    },
                }
            },
        },
        "definitions": schemas,
    }


def _openapi_3(version: str, info: Mapping[str, Any], schemas: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    def content(name: str) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}

    return {
        "openapi": version,
        "info": info,
        "servers": [{"url": prefix or "/"}],
        "paths": {
            "/": {"get": {"operationId": "ServiceHealthCheck", "responses": _healthy("text/html", openapi_3=True)}},
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


def _healthy(media_type: str, *, openapi_3: bool) -> dict[str, Any]:
    healthy = {"type": "string", "example": "Healthy"}
    body = {"content": {media_type: {"schema": healthy}}} if openapi_3 else {"schema": healthy}
    return {"200": {"description": "A score would succeed", **body}}
