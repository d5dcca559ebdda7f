"""Scoring scripts as users write them, and a folder that holds them with their own modules and model."""

import json
from pathlib import Path

# what a request asks for stands in its body: {"do": NAME, ...}; modules beside it have the names of the server's own
SCORE = """
import json, logging, os, re, signal, subprocess, sys, threading, time
import models, server, settings, utils

def init():
    global model
    print("init() finds", sorted(os.listdir(os.environ["AZUREML_MODEL_DIR"])))
    with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.json")) as file:
        model = json.load(file)

def run(raw_data):
    request = json.loads(raw_data)
    return globals()[request.get("do", "predict")](request)

def predict(request):
    return [sum(w * x for w, x in zip(model["weights"], row)) for row in request["data"]]

def fail(request):
    raise ValueError("a secret of the script")

def leave(request):
    sys.exit(7)

def nothing_json_has(request):
    return object()

def die(request):
    os._exit(7)

def crash(request):
    os.kill(os.getpid(), signal.SIGSEGV)

def sleep(request):
    started = time.monotonic()
    time.sleep(request["seconds"])
    if "touch" in request:
        open(request["touch"], "w").close()
    return {"pid": os.getpid(), "from": started, "to": time.monotonic()}

def never_let_go(request):
    re.match("(a+)+b", "a" * 200)

def start(request):
    command = [sys.executable, "-c", "import time; time.sleep(1000)"]
    return subprocess.Popen(command, start_new_session=request.get("own_session", False)).pid

def start_and_hang(request):
    with open(request["tell"], "w") as file:
        file.write(f"{os.getpid()} {start(request)}")
    time.sleep(1000)

def say(request):
    print("printed by run()", "\\u00e4\\u20ac")
    print("an error's line", file=sys.stderr)
    os.write(1, b"written past Python \\xff\\n")
    logging.getLogger("of.the.script").warning("logged by run()")
    threading.Thread(target=print, args=("printed by a thread",)).start()
    return "said"

def big(request):
    return "x" * request["bytes"]

def imports(request):
    import importlib.util
    found = [models.__file__, server.__file__, settings.__file__, utils.__file__]
    return {"own": found, "explain": importlib.util.find_spec("explain") is not None, "path": sys.path}

def surroundings(request):
    return {"env": dict(os.environ), "folder": os.getcwd(), "argv": sys.argv, "input": sys.stdin.read()}
"""

HEADERS = """
def init():
    pass

def run(data, request_headers):
    return {"data": data, "headers": request_headers}
"""

RAW = """
import json, time
import azureml.contrib.services.aml_response
from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_response import AMLResponse

def init():
    pass

@rawhttp
def run(request: AMLRequest):
    if request.method == "GET" and not request.args:
        return AMLResponse(str.encode(request.full_path), 200)
    if request.method == "OPTIONS":
        response = AMLResponse("", 204)
        response.headers["Access-Control-Allow-Origin"] = "http://page"
        return response
    return globals()[request.args["do"]](request)

def backwards(request):
    return AMLResponse(request.get_data(False)[::-1], 200, {"Content-Type": "image/x-backwards", "X-Both": "1, 2"})

def status(request):
    return AMLResponse(json.dumps({"said": "so"}), int(request.args["status"]), {"Content-Type": "application/json"})

def failed(request):
    return AMLResponse({"said": "so"}, 200, json_str=True, run_function_failed=True)

def nothing(request):
    return AMLResponse(None, 200)

def parts(request):
    return AMLResponse((part for part in ("a", b"b")), 200)

def form(request):
    file = request.files["image"]
    return {"name": file.filename, "type": file.content_type, "bytes": len(file.read()), "size": request.form["size"]}

def header(request):
    return AMLResponse("", 200, {request.args["name"]: request.args["value"]})

def plain(request):
    return {"agent": request.headers["user-agent"], "key": request.headers.get("Authorization"), "json": request.json}
"""

PARAMETERS = """
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

def init():
    pass

@input_schema("data", StandardPythonParameterType([[1.0, 2.0]]))
@input_schema("scale", StandardPythonParameterType(1.0), optional=True)
@output_schema(StandardPythonParameterType([1.0]))
def run(data, scale=10.0):
    return [scale * sum(row) for row in data]
"""

# scores how bright the left half of an image is, in the hosted form; "do" asks for something else
IMAGES = """
import base64, io, json, time
import numpy as np
from PIL import Image

def init():
    pass

def run(raw_data):
    request = json.loads(raw_data)
    if "tell" in request:
        with open(request["tell"], "a") as file:
            file.write(raw_data + "\\n")
    time.sleep(request.get("seconds", 0))
    return globals()[request.get("do", "score")](request)

def cells(request):
    if "image" in request:
        return [dict(request, image_base64=request["image"])]
    table = request["input_data"]
    rows = [row[-1] if isinstance(row, list) else row for row in (table["data"] if isinstance(table, dict) else table)]
    rows = [json.loads(row) if isinstance(row, str) and row.startswith("{") else row for row in rows]
    return [row if isinstance(row, dict) else {"image_base64": row} for row in rows]

def score(request):
    found = []
    for cell in cells(request):
        image = Image.open(io.BytesIO(base64.b64decode(cell["image_base64"])))
        grey = np.asarray(image.convert("L")) / 255
        left = float(grey[:, : grey.shape[1] // 2].mean())
        found.append({"probs": [left, 1 - left], "labels": ["bright", "dark"]})
    return found

def as_text(request):
    return json.dumps(score(request))

def alone(request):
    return score(request)[0]

def boxes(request):
    return [{"boxes": []} for cell in cells(request)]

def nothing(request):
    return "seen"

def short(request):
    return score(request)[:-1]

def explains_itself(request):
    return [dict(one, visualizations="mine") for one in score(request)]

def fails_on_copies(request):
    if not any(cell.get("model_explainability") for cell in cells(request)):
        raise ValueError("a masked copy")
    return score(request)

def more_for_copies(request):
    (one,) = score(request)
    if not any(cell.get("model_explainability") for cell in cells(request)):
        one = {"probs": one["probs"] + [0.0], "labels": one["labels"] + ["more"]}
    return [one]
"""

_SCRIPTS = {"score": SCORE, "headers": HEADERS, "raw": RAW, "parameters": PARAMETERS, "images": IMAGES}


def write_scripts(folder: Path) -> Path:
    """Write them into a folder, beside a model and modules that have the names of the server's own; returns it."""
    for name, text in _SCRIPTS.items():
        (folder / f"{name}.py").write_text(text)
    for name in ("models", "settings", "server", "utils"):
        (folder / f"{name}.py").write_text("")
    (folder / "model").mkdir()
    (folder / "model" / "model.json").write_text(json.dumps({"weights": [1.0, 10.0, 100.0]}))
    return folder
