"""What the hosted endpoint runs for a model of AutoML for Images, as seen by its HTTP server."""

from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema
from recipe import Recipe


def init():
    global recipe  # noqa: PLW0603 - what the server calls has nowhere else to keep it
    recipe = Recipe()


@input_schema("input_data", StandardPythonParameterType({"columns": ["image"], "data": ["base64"]}))
def run(input_data):
    return recipe.rows([recipe.decode({"input_data": {"data": [cell]}}) for cell in input_data["data"]])
