"""A Flask app that gives answers.json, uses Flask's own ways to answer, and remembers every request as it saw it."""

import hashlib
import io

from flask import Flask, Response, jsonify, redirect, request, session, url_for

import scripted

app = Flask(__name__)
app.secret_key = "of no importance"
seen: dict[str, list] = {}

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"]


class Watching:
    """Notes what gunicorn hands over, before Flask interprets it."""

    def __init__(self, inner):
        self.inner = inner

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(body)
        fields = [[key[5:].replace("_", "-"), value] for key, value in environ.items() if key.startswith("HTTP_")]
        fields += [[key.replace("_", "-"), environ[key]] for key in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(key)]
        name = environ.get("HTTP_X_EXCHANGE", "")
        seen.setdefault(name, []).append({
            "method": environ["REQUEST_METHOD"],
            "target": environ["RAW_URI"],
            "path": environ["PATH_INFO"],
            "scheme": environ["wsgi.url_scheme"],
            "fields": fields,
            "length": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
        })
        return self.inner(environ, start_response)


app.wsgi_app = Watching(app.wsgi_app)


def give(answer: dict) -> Response:
    reason = answer.get("reason")
    response = Response(status=f"{answer['status']} {reason}" if reason else answer["status"])
    response.headers.clear()
    for name, value in scripted.fields(answer):
        response.headers.add(name, value)
    whole = scripted.body(answer)
    if whole is not None:
        response.set_data(whole)
    elif "chunks" in answer:
        response.response = (piece.encode() for piece in answer["chunks"])
    return response


@app.route("/seen/<name>")
def tell(name):
    return jsonify(seen.pop(name, []))


@app.route("/reply/<name>", methods=METHODS)
def reply(name):
    return give(scripted.ANSWERS[name])


@app.route("/status/<int:number>", methods=METHODS)
def status(number):
    return give(scripted.status(number))


@app.route("/file")
def file():
    fields = request.headers
    return give(scripted.file(fields.get("If-None-Match"), fields.get("Range"), fields.get("If-Range")))


@app.route("/mirror", methods=METHODS)
def mirror():
    return Response(request.get_data(), content_type=request.content_type or "application/octet-stream")


@app.route("/any/", defaults={"rest": ""}, methods=METHODS)
@app.route("/any/<path:rest>", methods=METHODS)
def anything(rest):
    return jsonify(rest=rest, arguments=request.args.to_dict(flat=False), cookies=request.cookies)


@app.route("/form", methods=["POST"])
def form():
    files = {name: [file.filename, len(file.read())] for name, file in request.files.items()}
    return jsonify(form=request.form.to_dict(flat=False), files=files)


@app.route("/redirect", methods=["GET", "POST"])
def absolute_redirect():
    return redirect(url_for("anything", rest="target", a="b c", _external=True), code=303)


@app.route("/login", methods=["POST"])
def login():
    session["user"] = request.form["user"]
    response = redirect(url_for("anything", rest="home"))
    response.set_cookie("theme", "dark; light, both", max_age=60, samesite="Strict")
    return response


@app.route("/private")
def private():
    if request.authorization is None:
        return "who?\n", 401, {"WWW-Authenticate": 'Basic realm="private"'}
    return jsonify(user=request.authorization.username, password=request.authorization.password)


@app.route("/broken")
def broken():
    raise ValueError("on purpose")
