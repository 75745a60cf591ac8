"""A hub on loopback: the file API that huggingface_hub speaks, with faults on demand."""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

TREE = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)/tree/([^/]+)(?:/(.+))?")
PATHS = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)/paths-info/([^/]+)")
REFS = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)/(refs)")
INFO = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/revision/([^/]+))?")
FILE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
KINDS = (TREE, PATHS, REFS, FILE, INFO)


class Hub(ThreadingHTTPServer):
    """`add` repositories; `fault` is one of "drop", "corrupt", "busy", "always busy" or None.

    `log` has the (method, path, range) of every request. A file is in LFS where it would be large.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repos, self.refs, self.gated = {}, {}, {}
        self.fault, self.faults_left, self.log = None, 0, []
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def add(self, repo, files, branch="main", token=None):
        """Commit `files` {path: bytes} to a branch; return the commit's hash."""
        state = repr((repo, branch, sorted(files.items())))
        commit = hashlib.sha1(state.encode()).hexdigest()
        self.repos.setdefault(repo, {})[commit] = files
        self.refs[repo, branch] = commit
        self.gated[repo] = token
        return commit

    def fail(self, fault, times=1):
        self.fault, self.faults_left = fault, times

    def has_fault(self, fault):
        if self.fault != fault or self.faults_left == 0:
            return False
        self.faults_left -= 1
        return True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        hub = self.server
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked = parse_qs(urlsplit(self.path).query) | parse_qs(body.decode())
        hub.log.append((self.command, path, self.headers.get("Range")))
        if hub.has_fault("busy"):
            self.refuse(429, "", {"Retry-After": "1", "RateLimit": '"api";r=0;t=1'})
        elif match := next(filter(None, (kind.fullmatch(path) for kind in KINDS)), None):
            self.answer(match)
        else:
            self.refuse(404, "RepoNotFound")

    do_HEAD = do_POST = do_GET  # noqa: N815

    def answer(self, match):
        hub, (_, repo, revision, *file) = self.server, match.groups()
        if repo not in hub.repos:
            return self.refuse(401, "RepoNotFound")
        if match.re is REFS:
            heads = [(ref, commit) for (of, ref), commit in hub.refs.items() if of == repo]
            keys = ("name", "ref", "targetCommit")
            branches = [dict(zip(keys, (n, f"refs/heads/{n}", commit))) for n, commit in heads]
            return self.send({"branches": branches, "converts": [], "tags": []})
        commit = hub.refs.get((repo, revision or "main"), revision)
        files = hub.repos[repo].get(commit)
        if files is None:
            return self.refuse(404, "RevisionNotFound")
        if match.re is TREE:
            deep = self.asked.get("recursive", ["false"])[0].lower() == "true"
            return self.send(listing(files, file[0] or "", deep))
        if match.re is PATHS:
            known = {item["path"]: item for item in listing(files, "", True)}
            return self.send([known[path] for path in self.asked["paths"] if path in known])
        if match.re is INFO:
            siblings = [{"rfilename": name} for name in files]
            return self.send({"id": repo, "sha": commit, "siblings": siblings})
        if file[0] not in files:
            return self.refuse(404, "EntryNotFound", {"X-Repo-Commit": commit})
        token = hub.gated[repo]
        if token and self.headers.get("Authorization") != f"Bearer {token}":
            return self.refuse(401, "GatedRepo")
        return self.send_file(commit, file[0], files[file[0]])

    def send_file(self, commit, name, data):
        hub, known = self.server, entry(name, data)
        etag = known.get("lfs", known)["oid"]
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "bytes=0-")
        start, end = int(wanted[1]), min(int(wanted[2] or len(data)) + 1, len(data))
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if "Range" in self.headers:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
        self.begin(206 if "Range" in self.headers else 200, end - start, headers)
        if self.command == "HEAD":
            return
        if "lfs" in known and hub.has_fault("corrupt"):
            data = data[:-1] + bytes([data[-1] ^ 1])
        if "lfs" in known and hub.has_fault("drop"):
            end = start + (end - start) // 2
            self.close_connection = True
        self.wfile.write(data[start:end])

    def send(self, value):
        body = json.dumps(value).encode()
        self.begin(200, len(body), {"Content-Type": "application/json"})
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code, headers=None):
        self.begin(status, 0, {"X-Error-Code": code, "X-Error-Message": code, **(headers or {})})

    def begin(self, status, length, headers):
        self.send_response(status)
        for name, value in {"Content-Length": length, **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()

    def log_message(self, *_):
        pass


def entry(name, data):
    """A file as the tree lists it."""
    oid = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    known = {"type": "file", "path": name, "size": len(data), "oid": oid}
    if name.endswith((".safetensors", ".bin", ".parquet", ".tar")):
        digest = hashlib.sha256(data).hexdigest()
        known["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 130}
    return known


def listing(files, folder, deep):
    """What the tree has below a folder: files and, as entries of their own, folders."""
    inside = {
        name: data
        for name, data in files.items()
        if name.startswith(f"{folder}/" if folder else "")
    }
    found = {name: entry(name, data) for name, data in inside.items()}
    for name in inside:
        for parent in list(PurePosixPath(name).parents)[:-1]:
            found.setdefault(
                str(parent), {"type": "directory", "path": str(parent), "oid": "0" * 40}
            )
    found.pop(folder, None)
    depth = folder.count("/") + 1 if folder else 0
    return [item for name, item in sorted(found.items()) if deep or name.count("/") == depth]
